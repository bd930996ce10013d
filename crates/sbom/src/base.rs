//! Recognising the image that another was built on.

use touchmark_oci::{Digest, History};

use crate::{BaseEvidence, BaseImage};

impl BaseImage {
    /// A base image whose layers, by the digests of their uncompressed bytes, are the lowest of `layers`. None when they are not, or when
    /// there are none.
    pub fn below(base: &[Digest], layers: &[Digest], recognised_by: BaseEvidence) -> Option<Self> {
        let is_below = !base.is_empty() && layers.starts_with(base);
        is_below.then_some(Self { name: None, digest: None, layers: base.len(), recognised_by })
    }

    /// A base image that is named and whose layers are not known: [`layers`](Self::layers) is 0.
    pub fn named_only(name: Option<String>, digest: Option<Digest>) -> Self {
        Self { name, digest, layers: 0, recognised_by: BaseEvidence::Annotations }
    }

    /// By the marks of a finished image in the build's history: a `CMD` or `ENTRYPOINT`, which ends most images, with layers after it.
    /// A weak sign, because a build may set these early, and the history is a claim. None without such a mark, or when the history does
    /// not account for each of the image's `layers`.
    pub fn by_build_history(history: &[History], layers: usize) -> Option<Self> {
        let with_layer = |steps: &[History]| steps.iter().filter(|step| !step.empty_layer).count();
        if with_layer(history) != layers {
            return None;
        }
        let last = history.iter().rposition(|step| !step.empty_layer)?;
        let before = history.get(..last)?;
        let mark = before.iter().rposition(|step| step.empty_layer && ends_an_image(step))?;
        let below = with_layer(before.get(..mark)?);
        let recognised_by = BaseEvidence::BuildHistory;
        (below > 0).then_some(Self { name: None, digest: None, layers: below, recognised_by })
    }

    /// Adds what it is called.
    #[must_use]
    pub fn named(mut self, name: Option<String>, digest: Option<Digest>) -> Self {
        (self.name, self.digest) = (name, digest);
        self
    }
}

/// Docker's older builder writes `/bin/sh -c #(nop)  CMD ["bash"]`, BuildKit `CMD ["bash"]`.
fn ends_an_image(step: &History) -> bool {
    let by = step.created_by.as_deref().unwrap_or_default();
    let by = by.strip_prefix("/bin/sh -c #(nop)").unwrap_or(by).trim_start();
    by.starts_with("CMD ") || by.starts_with("ENTRYPOINT ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(created_by: &str, empty_layer: bool) -> History {
        History { created_by: Some(created_by.into()), empty_layer }
    }

    fn digests(texts: &[&str]) -> Vec<Digest> {
        texts.iter().map(|text| Digest::of(text.as_bytes())).collect()
    }

    #[test]
    fn the_lowest_layers_make_the_base() {
        let layers = digests(&["a", "b", "c"]);
        let below = |base: &[&str]| {
            BaseImage::below(&digests(base), &layers, BaseEvidence::Layers).map(|base| base.layers)
        };
        assert_eq!(below(&["a", "b"]), Some(2));
        assert_eq!(below(&["b"]), None);
        assert_eq!(below(&["a", "b", "c", "d"]), None);
        assert_eq!(below(&[]), None);
    }

    #[test]
    fn a_command_with_layers_after_it_ends_a_base() {
        let history = [
            step("# debian.sh", false),
            step(r#"/bin/sh -c #(nop)  CMD ["bash"]"#, true),
            step("RUN apt-get install node", false),
            step(r#"CMD ["node"]"#, true),
            step("ENV A=b", true),
            step("COPY . .", false),
            step(r#"ENTRYPOINT ["app"]"#, true),
            step(r#"CMD ["serve"]"#, true),
        ];
        let base = BaseImage::by_build_history(&history, 3).unwrap();
        assert_eq!((base.layers, base.recognised_by), (2, BaseEvidence::BuildHistory));
        assert_eq!(BaseImage::by_build_history(&history[..2], 1), None, "nothing comes after");
        assert_eq!(BaseImage::by_build_history(&history, 4), None, "a layer that the history does not tell");
    }

    #[test]
    fn commands_that_a_build_runs_are_no_marks() {
        let history = [step("RUN echo CMD ", false), step("RUN CMD x", true), step("COPY . .", false)];
        assert_eq!(BaseImage::by_build_history(&history, 2), None);
    }
}
