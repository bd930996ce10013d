//! The directory, and when the mirror is asked.

use std::path::Path;

use jiff::SignedDuration;
use touchmark_testkit::{Fault, TufFault, TufFile};
use touchmark_tuf::{
    Current, CurrentError, KeptError, Limits, Network, Note, Repository, Role, State, StateError, TufError,
    current,
};

use crate::stage::Stage;

async fn ask(stage: &Stage, state: Option<&State>, network: Network<'_>) -> Result<Current, CurrentError> {
    current(&stage.repository(), state, network, &Limits::default(), stage.now()).await
}

async fn when_stale(stage: &Stage, state: &State) -> Result<Current, CurrentError> {
    ask(stage, Some(state), Network::WhenStale(stage.client())).await
}

fn down(stage: &Stage) {
    stage.sigstore.set(|bad| bad.faults = vec![Fault::times("/tuf/", 500, u32::MAX)]);
}

/// The only file of this name in the repository's folder.
fn file(state: &State, name: &str) -> std::path::PathBuf {
    let folders = std::fs::read_dir(state.directory()).unwrap().map(|entry| entry.unwrap().path());
    folders.map(|folder| folder.join(name)).find(|path| path.exists()).unwrap()
}

#[tokio::test]
async fn the_mirror_is_asked_once_a_day() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let state = State::at(home.path());
    when_stale(&stage, &state).await.unwrap();
    let first = stage.sigstore.requests().len();
    stage.sigstore.clock().advance(SignedDuration::from_hours(23));
    let fresh = when_stale(&stage, &state).await.unwrap();
    assert!(fresh.notes.is_empty());
    assert_eq!(stage.sigstore.requests().len(), first);
    stage.sigstore.clock().advance(SignedDuration::from_hours(1));
    when_stale(&stage, &state).await.unwrap();
    assert!(stage.sigstore.requests().len() > first);
    let second = stage.sigstore.requests().len();
    ask(&stage, Some(&state), Network::Always(stage.client())).await.unwrap();
    assert!(stage.sigstore.requests().len() > second);
    // A refresh that has not been yet is none.
    stage.sigstore.clock().advance(SignedDuration::from_hours(-1));
    let third = stage.sigstore.requests().len();
    when_stale(&stage, &state).await.unwrap();
    assert!(stage.sigstore.requests().len() > third);
}

#[tokio::test]
async fn a_mirror_that_is_down_is_a_note_until_what_was_kept_expires() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let state = State::at(home.path());
    when_stale(&stage, &state).await.unwrap();
    down(&stage);
    stage.sigstore.clock().advance(SignedDuration::from_hours(48));
    let used = when_stale(&stage, &state).await.unwrap();
    assert!(matches!(used.notes.as_slice(), [Note::NotRefreshed { .. }]), "{:?}", used.notes);
    stage.sigstore.clock().advance(SignedDuration::from_hours(24 * 8));
    let stale = when_stale(&stage, &state).await.unwrap_err();
    assert!(matches!(&stale, CurrentError::Stale { role, .. } if role.role == Role::Timestamp), "{stale:?}");
    let nothing = ask(&stage, None, Network::WhenStale(stage.client())).await.unwrap_err();
    assert!(matches!(nothing, CurrentError::Refresh(TufError::Status { .. })), "{nothing:?}");
}

#[tokio::test]
async fn offline_nobody_is_asked_and_what_is_stale_is_named() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let state = State::at(home.path());
    let nothing = ask(&stage, Some(&state), Network::Offline).await.unwrap_err();
    assert!(matches!(nothing, CurrentError::Nothing), "{nothing:?}");
    when_stale(&stage, &state).await.unwrap();
    let asked = stage.sigstore.requests().len();
    assert!(ask(&stage, Some(&state), Network::Offline).await.unwrap().notes.is_empty());
    stage.sigstore.clock().advance(SignedDuration::from_hours(24 * 8));
    let stale = ask(&stage, Some(&state), Network::Offline).await.unwrap();
    assert!(
        matches!(stale.notes.as_slice(), [Note::Stale { role, .. }] if role.role == Role::Timestamp),
        "{:?}",
        stale.notes
    );
    std::fs::write(file(&state, "cache.v1.json"), "{").unwrap();
    let damaged = ask(&stage, Some(&state), Network::Offline).await.unwrap_err();
    assert!(
        matches!(damaged, CurrentError::Damaged(KeptError::State(StateError::Cache { .. }))),
        "{damaged:?}"
    );
    assert_eq!(stage.sigstore.requests().len(), asked);
}

#[tokio::test]
async fn what_is_damaged_is_fetched_again_and_said() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let state = State::at(home.path());
    let whole = when_stale(&stage, &state).await.unwrap();
    let path = file(&state, "cache.v1.json");
    let forged = std::fs::read_to_string(&path).unwrap().replacen("organization", "organisation", 1);
    std::fs::write(&path, forged).unwrap();
    let again = when_stale(&stage, &state).await.unwrap();
    assert!(
        matches!(again.notes.as_slice(), [Note::Damaged { source: KeptError::Untrusted(_) }]),
        "{:?}",
        again.notes
    );
    assert_eq!(again.trusted, whole.trusted);
    assert!(when_stale(&stage, &state).await.unwrap().notes.is_empty(), "it is whole again");
}

#[tokio::test]
async fn what_cannot_be_kept_is_used_and_said() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    // A file where the directory should be: nothing can be written, whoever runs this.
    let path = home.path().join("file");
    std::fs::write(&path, "").unwrap();
    let state = State::at(path.join("tuf"));
    let error = state.choose(&stage.repository());
    assert!(matches!(error, Err(StateError::Write { .. })), "{error:?}");
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("tuf")).unwrap();
    let state = State::at(home.path().join("tuf"));
    state.keep(&stage.repository(), &stage.refresh(None).await.unwrap().0, &Limits::default()).unwrap();
    // The same for a folder that was kept and whose lock is a directory now.
    let lock = file(&state, "lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let used = ask(&stage, Some(&state), Network::Always(stage.client())).await.unwrap();
    assert!(
        matches!(used.notes.as_slice(), [Note::NotKept { source: StateError::Write { .. } }]),
        "{:?}",
        used.notes
    );
}

#[tokio::test]
async fn the_repository_that_was_chosen_is_the_default() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let state = State::at(home.path().join("tuf"));
    let limits = Limits::default();
    assert_eq!(state.default_repository(&limits).unwrap(), None);
    let (cache, _) = stage.refresh(None).await.unwrap();
    state.choose(&stage.repository()).unwrap();
    assert_eq!(state.load(&stage.repository(), &limits).unwrap(), None);
    state.keep(&stage.repository(), &cache, &limits).unwrap();
    assert_eq!(state.default_repository(&limits).unwrap(), Some(stage.repository()));
    assert_eq!(state.load(&stage.repository(), &limits).unwrap(), Some(cache));
    // One that cannot be told is an error, never none.
    let spoil = |name: &str, text: &str| {
        let path = match name {
            "default.json" => state.directory().join(name),
            _ => file(&state, name),
        };
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, text).unwrap();
        let error = state.default_repository(&limits).unwrap_err();
        std::fs::write(&path, before).unwrap();
        error
    };
    assert!(matches!(spoil("default.json", "{"), StateError::Json { .. }));
    assert!(matches!(spoil("default.json", r#"{"folder":"../x"}"#), StateError::Folder { .. }));
    assert!(matches!(spoil("default.json", r#"{"folder":"gone"}"#), StateError::Read { .. }));
    assert!(matches!(spoil("default.json", &" ".repeat(20_000)), StateError::TooLarge { .. }));
    let digest = stage.repository().root_digest().clone();
    let nowhere = format!(r#"{{"mirror":"nowhere","root":"{digest}"}}"#);
    assert!(matches!(spoil("repository.json", &nowhere), StateError::Mirror { .. }));
    let other = Repository::public_good(None).unwrap();
    assert!(matches!(
        spoil("root.json", std::str::from_utf8(other.root()).unwrap()),
        StateError::OtherRoot { .. }
    ));
    let unusable = touchmark_oci::Digest::of(b"{}");
    std::fs::write(file(&state, "root.json"), "{}").unwrap();
    let identity = format!(r#"{{"mirror":"https://a.example/","root":"{unusable}"}}"#);
    assert!(matches!(spoil("repository.json", &identity), StateError::Root { .. }));
}

#[tokio::test]
async fn of_two_writers_the_newer_version_stays_and_no_file_is_half_written() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let limits = Limits::default();
    let (old, _) = stage.refresh(None).await.unwrap();
    stage.sigstore.publish_tuf();
    let (new, _) = stage.refresh(None).await.unwrap();
    let repository = stage.repository();
    std::thread::scope(|scope| {
        for turn in 0..8 {
            let (old, new, repository, limits) = (&old, &new, &repository, &limits);
            let path: &Path = home.path();
            scope.spawn(move || {
                let state = State::at(path);
                for _ in 0..10 {
                    state.keep(repository, if turn % 2 == 0 { old } else { new }, limits).unwrap();
                    let there = state.load(repository, limits).unwrap().unwrap();
                    repository.verify(&there).unwrap();
                }
            });
        }
    });
    let state = State::at(home.path());
    assert_eq!(state.load(&repository, &limits).unwrap(), Some(new));
    let folder = file(&state, "lock").parent().unwrap().to_owned();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2, "nothing but the cache and the lock");
}

#[tokio::test]
async fn a_refresh_that_is_refused_leaves_what_was_kept() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let state = State::at(home.path());
    stage.sigstore.publish_tuf();
    let before = when_stale(&stage, &state).await.unwrap().trusted;
    stage.sigstore.publish_tuf();
    stage.sigstore.set(|bad| bad.tuf = vec![TufFault::Rollback(TufFile::Timestamp)]);
    let used = ask(&stage, Some(&state), Network::Always(stage.client())).await.unwrap();
    assert!(
        matches!(used.notes.as_slice(), [Note::NotRefreshed { source: TufError::Rollback { .. }, .. }]),
        "{:?}",
        used.notes
    );
    assert_eq!(used.trusted, before);
}
