//! The images that an object would run: of its containers, its init and ephemeral containers, and its image volumes.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use touchmark_oci::{ImageName, ImageRef, PinnedRef, ReferenceError};

use crate::review::GroupVersionKind;

/// The kinds whose images can be found: a pod, and those that make pods from a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Workload {
    /// `v1 Pod`.
    Pod,
    /// `v1 PodTemplate`.
    PodTemplate,
    /// `v1 ReplicationController`.
    ReplicationController,
    /// `apps/v1 Deployment`.
    Deployment,
    /// `apps/v1 ReplicaSet`.
    ReplicaSet,
    /// `apps/v1 StatefulSet`.
    StatefulSet,
    /// `apps/v1 DaemonSet`.
    DaemonSet,
    /// `batch/v1 Job`.
    Job,
    /// `batch/v1 CronJob`.
    CronJob,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Pod,
        Self::PodTemplate,
        Self::ReplicationController,
        Self::Deployment,
        Self::ReplicaSet,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
    ];

    /// The workload of that kind, in exactly that version.
    pub fn of(kind: &GroupVersionKind) -> Option<Self> {
        let (group, name) = (kind.group.as_str(), kind.kind.as_str());
        let known =
            Self::ALL.into_iter().find(|workload| (workload.group(), workload.name()) == (group, name));
        known.filter(|_| kind.version == "v1")
    }

    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::PodTemplate => "PodTemplate",
            Self::ReplicationController => "ReplicationController",
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }

    /// The kind's API group.
    pub fn group(self) -> &'static str {
        match self {
            Self::Pod | Self::PodTemplate | Self::ReplicationController => "",
            Self::Deployment | Self::ReplicaSet | Self::StatefulSet | Self::DaemonSet => "apps",
            Self::Job | Self::CronJob => "batch",
        }
    }

    /// The images of an object of this kind, in the order of the object.
    ///
    /// # Errors
    /// [`ObjectError`]: not an object of this kind, without a pod's specification in its place, or without any image.
    pub fn images(self, object: &RawValue) -> Result<Vec<FoundImage>, ObjectError> {
        let head: Head<'_> = serde_json::from_str(object.get())?;
        let api_version =
            if self.group().is_empty() { "v1".to_owned() } else { format!("{}/v1", self.group()) };
        if (head.api_version.as_ref(), head.kind.as_ref()) != (api_version.as_str(), self.name()) {
            let shorten = |text: &str| text.chars().take(100).collect();
            let (found_version, found_kind) = (shorten(&head.api_version), shorten(&head.kind));
            return Err(ObjectError::Kind { api_version: found_version, kind: found_kind, wanted: self });
        }
        let (place, spec) = self.pod_spec(&head)?;
        let found = spec.ok_or(ObjectError::NoPodSpec { place })?.images(place);
        if found.is_empty() { Err(ObjectError::NoImage { place }) } else { Ok(found) }
    }

    /// Where this kind keeps its pod's specification, and what is there.
    fn pod_spec(self, head: &Head<'_>) -> Result<(&'static str, Option<PodSpec>), serde_json::Error> {
        Ok(match self {
            Self::Pod => ("spec", read(head.spec)?),
            Self::PodTemplate => {
                ("template.spec", read::<Template>(head.template)?.and_then(|template| template.spec))
            }
            Self::CronJob => {
                let job = read::<CronJobSpec>(head.spec)?.and_then(|spec| spec.job_template);
                let template = job.and_then(|job| job.spec).and_then(|spec| spec.template);
                ("spec.jobTemplate.spec.template.spec", template.and_then(|template| template.spec))
            }
            Self::ReplicationController
            | Self::Deployment
            | Self::ReplicaSet
            | Self::StatefulSet
            | Self::DaemonSet
            | Self::Job => {
                let template = read::<Templated>(head.spec)?.and_then(|spec| spec.template);
                ("spec.template.spec", template.and_then(|template| template.spec))
            }
        })
    }
}

/// An image of an object, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundImage {
    /// The reference; empty when there is none.
    pub reference: String,
    /// Where it stands, such as `spec.containers[0]`.
    pub place: String,
}

impl FoundImage {
    /// The image as something that can be decided on: one thing of one registry, for ever.
    ///
    /// # Errors
    /// [`PinError`]: no reference, a malformed one, one without a digest, or one that the cluster would read otherwise.
    pub fn pinned(&self) -> Result<PinnedRef, PinError> {
        if self.reference.is_empty() {
            return Err(PinError::Missing);
        }
        let image: ImageRef = self.reference.parse()?;
        // To Kubernetes `oci:x` is the tag `x` of Docker Hub's `oci`; here it is a directory. Such names are nobody's loss.
        if !matches!(image.name(), ImageName::Repository { .. }) {
            return Err(PinError::Transport);
        }
        image.as_pinned().ok_or(PinError::Tag)
    }
}

/// Whether two objects run the same images, wherever in them those stand.
pub fn same_images(one: &[FoundImage], other: &[FoundImage]) -> bool {
    let references =
        |found: &[FoundImage]| found.iter().map(|image| image.reference.clone()).collect::<BTreeSet<_>>();
    references(one) == references(other)
}

fn read<'a, T: Deserialize<'a>>(value: Option<&'a RawValue>) -> Result<Option<T>, serde_json::Error> {
    value.map(|value| serde_json::from_str(value.get())).transpose()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
    #[serde(borrow)]
    template: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CronJobSpec {
    job_template: Option<JobTemplate>,
}

#[derive(Deserialize)]
struct JobTemplate {
    spec: Option<Templated>,
}

#[derive(Deserialize)]
struct Templated {
    template: Option<Template>,
}

#[derive(Deserialize)]
struct Template {
    spec: Option<PodSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
    volumes: Option<Vec<Volume>>,
}

#[derive(Deserialize)]
struct Container {
    image: Option<String>,
}

#[derive(Deserialize)]
struct Volume {
    image: Option<ImageVolume>,
}

#[derive(Deserialize)]
struct ImageVolume {
    reference: Option<String>,
}

impl PodSpec {
    fn images(self, place: &str) -> Vec<FoundImage> {
        let containers = [
            ("initContainers", self.init_containers),
            ("containers", self.containers),
            ("ephemeralContainers", self.ephemeral_containers),
        ];
        let mut found = Vec::new();
        for (list, containers) in containers {
            for (index, container) in containers.into_iter().flatten().enumerate() {
                let reference = container.image.unwrap_or_default();
                found.push(FoundImage { reference, place: format!("{place}.{list}[{index}]") });
            }
        }
        for (index, volume) in self.volumes.into_iter().flatten().enumerate() {
            if let Some(image) = volume.image {
                let reference = image.reference.unwrap_or_default();
                found.push(FoundImage { reference, place: format!("{place}.volumes[{index}].image") });
            }
        }
        found
    }
}

/// Why the images of an object cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// Not the members of this kind.
    #[error("object cannot be read")]
    Json(#[from] serde_json::Error),
    /// Another kind than the request says.
    #[error("object is {api_version} {kind}, the request says {}", wanted.name())]
    Kind {
        /// Its API version, shortened.
        api_version: String,
        /// Its kind, shortened.
        kind: String,
        /// The kind of the request.
        wanted: Workload,
    },
    /// No pod specification where the kind has it.
    #[error("object has no {place}")]
    NoPodSpec {
        /// Where it should be.
        place: &'static str,
    },
    /// Nothing to run.
    #[error("{place} of the object has no container")]
    NoImage {
        /// The pod specification.
        place: &'static str,
    },
}

/// Why an image cannot be decided on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// No reference at all.
    #[error("no image is named")]
    Missing,
    /// A tag, which may point at something else tomorrow.
    #[error("image must be pinned by digest, as NAME@sha256:…")]
    Tag,
    /// A name that reads as a file on this machine.
    #[error("image is not named by registry and repository")]
    Transport,
    /// No image reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod_spec() -> Value {
        json!({
            "initContainers": [{"name": "i", "image": "init"}],
            "containers": [{"name": "a", "image": "main"}, {"name": "b", "image": "side"}],
            "ephemeralContainers": [{"name": "e", "image": "debug"}],
            "volumes": [{"name": "c", "configMap": {"name": "x"}}, {"name": "v", "image": {"reference": "volume"}}],
        })
    }

    /// An object of `workload` with `spec` where its pod specification is.
    fn object(workload: Workload, spec: &Value) -> Value {
        let template = json!({"metadata": {}, "spec": spec});
        let group = workload.group();
        let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
        let mut object =
            json!({"apiVersion": api_version, "kind": workload.name(), "metadata": {"name": "x"}});
        match workload {
            Workload::Pod => object["spec"] = spec.clone(),
            Workload::PodTemplate => object["template"] = template,
            Workload::CronJob => object["spec"] = json!({"jobTemplate": {"spec": {"template": template}}}),
            _ => object["spec"] = json!({"replicas": 1, "template": template}),
        }
        object
    }

    fn images(workload: Workload, object: &Value) -> Result<Vec<FoundImage>, ObjectError> {
        workload.images(&serde_json::value::to_raw_value(object).unwrap())
    }

    #[test]
    fn every_place_of_every_kind_is_found() {
        for workload in Workload::ALL {
            let found = images(workload, &object(workload, &pod_spec())).unwrap();
            let references: Vec<_> = found.iter().map(|image| image.reference.as_str()).collect();
            assert_eq!(references, ["init", "main", "side", "debug", "volume"], "{workload:?}");
        }
        let found = images(Workload::CronJob, &object(Workload::CronJob, &pod_spec())).unwrap();
        assert_eq!(found[4].place, "spec.jobTemplate.spec.template.spec.volumes[1].image");
    }

    #[test]
    fn kinds_are_recognised_in_their_group_and_version_only() {
        let kind = |group: &str, version: &str, kind: &str| GroupVersionKind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        };
        for workload in Workload::ALL {
            assert_eq!(Workload::of(&kind(workload.group(), "v1", workload.name())), Some(workload));
            assert_eq!(Workload::of(&kind(workload.group(), "v1beta1", workload.name())), None);
            assert_eq!(Workload::of(&kind("example.com", "v1", workload.name())), None);
        }
        assert_eq!(Workload::of(&kind("apps", "v1", "Pod")), None);
    }

    #[test]
    fn a_container_without_an_image_is_found_too() {
        let spec =
            json!({"containers": [{"name": "a"}, {"name": "b", "image": null}], "volumes": [{"image": {}}]});
        let found = images(Workload::Pod, &object(Workload::Pod, &spec)).unwrap();
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|image| image.pinned() == Err(PinError::Missing)));
    }

    #[test]
    fn rejects_an_object_of_another_kind_than_the_request_says() {
        let mut pod = object(Workload::Pod, &pod_spec());
        assert!(matches!(images(Workload::Job, &pod), Err(ObjectError::Kind { wanted: Workload::Job, .. })));
        pod["apiVersion"] = json!("v2");
        assert!(matches!(images(Workload::Pod, &pod), Err(ObjectError::Kind { .. })));
    }

    #[test]
    fn rejects_an_object_without_a_pod_or_without_containers() {
        for workload in Workload::ALL {
            let mut empty = object(workload, &json!({}));
            assert!(matches!(images(workload, &empty), Err(ObjectError::NoImage { .. })), "{workload:?}");
            empty["spec"] = json!(null);
            empty["template"] = json!(null);
            assert!(matches!(images(workload, &empty), Err(ObjectError::NoPodSpec { .. })), "{workload:?}");
        }
    }

    #[test]
    fn rejects_what_cannot_be_read() {
        let twice = r#"{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"a","image":"b"}]}}"#;
        let lists =
            r#"{"apiVersion":"v1","kind":"Pod","spec":{"containers":[],"containers":[{"image":"b"}]}}"#;
        let specs = r#"{"apiVersion":"v1","kind":"Pod","spec":{},"spec":{"containers":[{"image":"b"}]}}"#;
        let number = r#"{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":1}]}}"#;
        let object = r#"{"apiVersion":"v1","kind":"Pod","spec":{"containers":{}}}"#;
        for text in [twice, lists, specs, number, object, "[]", "{}"] {
            let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
            assert!(matches!(Workload::Pod.images(&raw), Err(ObjectError::Json(_))), "{text}");
        }
    }

    #[test]
    fn only_a_digest_of_a_registry_can_be_decided_on() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let pinned = |text: &str| FoundImage { reference: text.to_owned(), place: String::new() }.pinned();
        let image = pinned(&format!("nginx:1@sha256:{hex}")).unwrap();
        assert_eq!(image.to_string(), format!("docker.io/library/nginx:1@sha256:{hex}"));
        for tag in ["nginx", "nginx:1", "ghcr.io/acme/app:v1"] {
            assert_eq!(pinned(tag), Err(PinError::Tag), "{tag}");
        }
        for local in ["oci", "oci-archive", "docker-archive"] {
            assert_eq!(pinned(&format!("{local}:dir@sha256:{hex}")), Err(PinError::Transport), "{local}");
        }
        assert!(matches!(pinned("UPPER"), Err(PinError::Reference(_))));
        assert!(matches!(pinned(" nginx"), Err(PinError::Reference(_))));
    }

    #[test]
    fn images_are_the_same_wherever_they_stand() {
        let image =
            |reference: &str, place: &str| FoundImage { reference: reference.into(), place: place.into() };
        assert!(same_images(
            &[image("a", "1"), image("b", "2")],
            &[image("b", "1"), image("a", "2"), image("a", "3")]
        ));
        assert!(!same_images(&[image("a", "1")], &[image("a", "1"), image("b", "2")]));
        assert!(!same_images(&[image("a", "1"), image("b", "2")], &[image("a", "1")]));
    }
}
