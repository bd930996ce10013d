//! How the story is told: numbered steps, the command for each, and what came of it.

use std::path::PathBuf;

use touchmark_oci::{ImageName, ImageRef, Tag};
use touchmark_policy::Decision;

use crate::context::Context;
use crate::decision;
use crate::render::{Style, Tone, harmless, short_digests, to_stdout};

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
        Self { context, dir, tag, steps: 0 }
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
    pub(super) fn step(&mut self, what: &str, commands: &[&str]) -> anyhow::Result<()> {
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
        self.line(&format!("   {}", short_digests(&harmless(text))))
    }

    /// A decision, indented.
    pub(super) fn decision(&self, decision: &Decision) -> anyhow::Result<()> {
        for line in decision::to_text(decision, self.style()).lines() {
            self.line(&format!("   {line}"))?;
        }
        Ok(())
    }

    /// Where the story happens. Every path after this one is relative to it.
    pub(super) fn begin(&self) -> anyhow::Result<()> {
        self.write(&self.style().paint(Tone::Faint, &format!("$ cd {}", self.dir.display())))
    }

    /// What to look at next.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        let done = self.style().paint(Tone::Good, "Done:");
        self.line(&format!(
            "\n{done} allowed as it was built, denied when changed or signed by somebody else."
        ))?;
        self.write(&format!("Everything is in {}. To look further:", self.dir.display()))?;
        self.line(&format!("   $ touchmark tree {}", self.image_reference()))?;
        self.line(&format!("   $ touchmark sbom {}", self.image_reference()))
    }

    /// Something to know about all of it.
    pub(super) fn note(&self, text: &str) -> anyhow::Result<()> {
        let mark = self.style().paint(Tone::Caution, "Note:");
        self.line(&format!("{mark} {text}"))
    }

    fn style(&self) -> Style {
        self.context.stdout_style()
    }

    /// Writes a line with paths relative to the directory.
    fn line(&self, text: &str) -> anyhow::Result<()> {
        self.write(&text.replace(&format!("{}/", self.dir.display()), ""))
    }

    fn write(&self, text: &str) -> anyhow::Result<()> {
        self.context.progress().suspend(|| to_stdout(format!("{text}\n").as_bytes()))?;
        Ok(())
    }
}
