//! How the story is told: numbered steps, the command for each, and what came of it.

use std::path::{Path, PathBuf};

use touchmark_oci::{ImageName, ImageRef, PinnedRef, Tag};
use touchmark_policy::Decision;

use crate::context::Context;
use crate::decision;
use crate::render::{Style, Tone, harmless, to_stdout};

/// The story so far.
pub(super) struct Story<'a> {
    context: &'a Context,
    dir: PathBuf,
    tag: Tag,
    steps: usize,
}

impl<'a> Story<'a> {
    /// Begins it. The images are called `tag` in their layouts.
    pub(super) fn new(context: &'a Context, dir: PathBuf, tag: Tag) -> Self {
        Self {
            context,
            dir,
            tag,
            steps: 0,
        }
    }

    /// A file of the story.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where the image is.
    pub(super) fn image_reference(&self) -> ImageRef {
        self.layout("image")
    }

    /// Where the tampered copy is.
    pub(super) fn tampered_reference(&self) -> ImageRef {
        self.layout("tampered")
    }

    fn layout(&self, name: &str) -> ImageRef {
        ImageName::Layout(self.path(name).display().to_string()).tagged(self.tag.clone())
    }

    /// Begins a step: what is done, and the commands that do it.
    pub(super) fn step(&mut self, what: &str, commands: &[String]) -> anyhow::Result<()> {
        self.steps += 1;
        let heading = format!("{}. {what}", self.steps);
        self.line(&format!("\n{}", self.style().paint(Tone::Strong, &heading)))?;
        for command in commands {
            self.line(&self.style().paint(Tone::Faint, &format!("   $ {command}")))?;
        }
        Ok(())
    }

    /// What came of it.
    pub(super) fn result(&self, text: &str) -> anyhow::Result<()> {
        self.line(&format!("   {}", harmless(text)))
    }

    /// A decision, indented.
    pub(super) fn decision(&self, decision: &Decision) -> anyhow::Result<()> {
        for line in decision::to_text(decision, self.style()).lines() {
            self.line(&format!("   {line}"))?;
        }
        Ok(())
    }

    /// What to look at next.
    pub(super) fn end(&self, image: &PinnedRef) -> anyhow::Result<()> {
        let done = self.style().paint(Tone::Good, "Done:");
        self.line(&format!(
            "\n{done} allowed as it was built, denied when changed or signed by somebody else."
        ))?;
        self.line(&format!(
            "Everything is in {}; look at it with",
            Path::display(&self.dir)
        ))?;
        self.line(&format!("   $ touchmark tree {image}"))
    }

    fn style(&self) -> Style {
        self.context.stdout_style()
    }

    fn line(&self, text: &str) -> anyhow::Result<()> {
        self.context
            .progress()
            .suspend(|| to_stdout(format!("{text}\n").as_bytes()))?;
        Ok(())
    }
}
