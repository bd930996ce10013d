//! Writers of one tag.

use std::collections::{HashMap, VecDeque};

use touchmark_oci::{Content, Descriptor, ImageIndex, ImageName, Manifest, Tag, media_type};
use touchmark_registry::{
    ImageStore, LayoutStore, Limits, RegistryClient, StoreError, TagChange, push_artifact,
};
use touchmark_testkit::{FakeRegistry, Fault, Knobs, ReferrersApi};

use crate::{artifact, blob, client, options, push_image};

fn index_of(content: Option<&Content>) -> ImageIndex {
    match content.map(|content| Manifest::parse(content, &touchmark_oci::Limits::default()).unwrap()) {
        Some(Manifest::Index(index)) => index,
        Some(Manifest::Image(_)) => panic!("expected an index"),
        None => ImageIndex::new(vec![]),
    }
}

/// A change that adds one entry.
fn add(text: &str) -> impl Fn(Option<&Content>) -> Result<TagChange, StoreError> + Send + Sync + use<> {
    let entry = Descriptor::of(media_type::OCI_MANIFEST, text.as_bytes());
    move |before| {
        let mut index = index_of(before);
        if let Some(before) = before.filter(|_| index.manifests.contains(&entry)) {
            return Ok(TagChange { manifest: before.clone(), blobs: vec![] });
        }
        index.manifests.push(entry.clone());
        Ok(TagChange { manifest: index.to_content(), blobs: vec![] })
    }
}

fn tag() -> Tag {
    "evidence".parse().unwrap()
}

fn entries(registry: &FakeRegistry) -> usize {
    let bytes = registry.tag("a", "evidence").unwrap();
    index_of(Some(&Content::new(media_type::OCI_INDEX, bytes))).manifests.len()
}

#[tokio::test]
async fn a_change_is_written_once_and_not_again() {
    let registry = FakeRegistry::start().await;
    let name = registry.name("a");
    for _ in 0..2 {
        client().update_tag(&name, &tag(), &add("1")).await.unwrap();
    }
    assert_eq!((entries(&registry), registry.count("PUT", "/manifests/")), (1, 1));
}

#[tokio::test]
async fn a_change_that_another_writer_overwrites_is_put_back() {
    let registry = FakeRegistry::start().await;
    let other = |text: &str| add(text)(None).unwrap().manifest.into_bytes();
    let overwrites = VecDeque::from([other("theirs"), other("theirs too")]);
    registry.set(|knobs| knobs.overwrites = HashMap::from([("evidence".into(), overwrites)]));
    let settled = client().update_tag(&registry.name("a"), &tag(), &add("ours")).await.unwrap();
    assert_eq!(registry.count("PUT", "/manifests/"), 3);
    let index = index_of(Some(&settled));
    assert_eq!(index.manifests.len(), 2, "what the last one wrote stays, beside ours");
    assert_eq!(registry.tag("a", "evidence").unwrap(), settled.bytes());
}

#[tokio::test]
async fn a_writer_that_is_always_overwritten_says_so() {
    let registry = FakeRegistry::start().await;
    let other = add("theirs")(None).unwrap().manifest.into_bytes();
    registry.set(|knobs| {
        knobs.overwrites.extend([("evidence".into(), vec![other; 100].into())]);
    });
    let mut options = options();
    options.limits.max_tag_attempts = 5;
    let client = RegistryClient::new(options).unwrap();
    let error = client.update_tag(&registry.name("a"), &tag(), &add("ours")).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { attempts: 5, .. }) && error.is_temporary(), "{error:?}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn blobs_are_there_before_the_manifest() {
    let registry = FakeRegistry::start().await;
    let (manifest, blobs) = crate::image("x");
    let change = |_: Option<&Content>| Ok(TagChange { manifest: manifest.clone(), blobs: blobs.clone() });
    client().update_tag(&registry.name("a"), &tag(), &change).await.unwrap();
    let last = registry.requests().iter().rposition(|seen| seen.method == "PUT").unwrap();
    assert!(registry.requests()[last].path.contains("/manifests/"));
}

#[tokio::test]
async fn a_change_that_cannot_be_made_is_the_callers_error() {
    let registry = FakeRegistry::start().await;
    let name = registry.name("a");
    let change = |_: Option<&Content>| Err(StoreError::change(&name, "not mine"));
    let error = client().update_tag(&name, &tag(), &change).await.unwrap_err();
    assert!(matches!(error, StoreError::Change { .. }));
    assert_eq!(registry.count("PUT", ""), 0);
}

#[tokio::test]
async fn a_tag_that_cannot_be_read_is_not_written() {
    let registry = FakeRegistry::start().await;
    registry.set(|knobs| knobs.faults.push(Fault::always("/manifests/", 500).on("GET")));
    let error = client().update_tag(&registry.name("a"), &tag(), &add("1")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }));
    assert_eq!(registry.count("PUT", ""), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_signers_of_one_process_leave_eight_signatures() {
    let registry =
        FakeRegistry::start_with(Knobs { referrers: ReferrersApi::Absent, ..Knobs::default() }).await;
    let client = client();
    let subject = push_image(&client, &registry.name("a"), "x", None).await;
    let signers = (0..8).map(|number| {
        let (client, name, subject) = (client.clone(), registry.name("a"), subject.clone());
        tokio::spawn(async move {
            let (manifest, blobs) = artifact(&number.to_string(), &subject);
            push_artifact(&client, &name, &manifest.to_content(), &blobs).await.unwrap();
        })
    });
    for signer in signers.collect::<Vec<_>>() {
        signer.await.unwrap();
    }
    let found = client.referrers(&registry.name("a").pin(subject.digest().clone())).await.unwrap();
    assert_eq!(found.manifests.len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_writers_that_share_nothing_lose_nothing() {
    let registry = FakeRegistry::start().await;
    let mut options = options();
    options.limits.tag_settle_delay = std::time::Duration::from_millis(20);
    let writers = (0..8).map(|number| {
        // A client of its own each, as another process has: the turns within one do not help.
        let (client, name) = (RegistryClient::new(options.clone()).unwrap(), registry.name("a"));
        tokio::spawn(async move { client.update_tag(&name, &tag(), &add(&number.to_string())).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(entries(&registry), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_a_layout_hold_each_other_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("layout").display().to_string();
    let name = ImageName::Layout(path.clone());
    let writers = (0..8).map(|number| {
        let (store, name) = (LayoutStore::new(&path, Limits::default()), name.clone());
        tokio::spawn(async move {
            let change = add(&number.to_string());
            let with_blob = move |before: Option<&Content>| {
                let mut change = change(before)?;
                change.blobs = vec![blob(&number.to_string())];
                Ok(change)
            };
            store.update_tag(&name, &tag(), &with_blob).await
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    let found = LayoutStore::new(&path, Limits::default()).fetch_tag(&name, &tag()).await.unwrap();
    assert_eq!(index_of(found.as_ref()).manifests.len(), 8);
}
