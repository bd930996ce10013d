//! What is fetched over real HTTP and believed, and each way in which a mirror can cheat.

use std::time::Duration;

use jiff::SignedDuration;
use touchmark_testkit::{Fault, TufFault, TufFile};
use touchmark_tuf::{Cache, Limits, Role, RoleState, SIGNING_CONFIG, State, TRUSTED_ROOT, Trusted, TufError};

use crate::stage::Stage;

fn version(trusted: &Trusted, role: Role) -> u64 {
    let found: Vec<&RoleState> = trusted.roles().iter().filter(|state| state.role == role).collect();
    assert_eq!(found.len(), 1);
    found[0].version
}

#[tokio::test]
async fn the_trust_root_and_the_signing_configuration_are_fetched_and_verified() {
    let stage = Stage::new().await;
    let (cache, trusted) = stage.refresh(None).await.unwrap();
    assert_eq!(trusted.target(TRUSTED_ROOT).unwrap(), stage.sigstore.trusted_root().as_bytes());
    assert_eq!(trusted.target(SIGNING_CONFIG).unwrap(), stage.sigstore.signing_config(2).as_bytes());
    assert_eq!(trusted.refreshed(), stage.now());
    assert_eq!(stage.repository().verify(&cache).unwrap(), trusted);
    let again = Cache::parse(&cache.to_json().unwrap(), &Limits::default()).unwrap();
    assert_eq!(again, cache);
}

#[tokio::test]
async fn what_is_kept_and_still_the_newest_is_not_fetched_again() {
    let stage = Stage::new().await;
    let (cache, _) = stage.refresh(None).await.unwrap();
    let before = stage.sigstore.requests().len();
    stage.refresh(Some(&cache)).await.unwrap();
    assert_eq!(stage.sigstore.requests()[before..], ["GET /tuf/2.root.json", "GET /tuf/timestamp.json"]);
}

#[tokio::test]
async fn new_versions_and_new_roots_are_followed() {
    let stage = Stage::new().await;
    let (first, _) = stage.refresh(None).await.unwrap();
    stage.sigstore.publish_tuf();
    let (second, trusted) = stage.refresh(Some(&first)).await.unwrap();
    assert_eq!(version(&trusted, Role::Targets), 2);
    stage.sigstore.rotate_tuf_root();
    stage.sigstore.rotate_tuf_root();
    let (third, trusted) = stage.refresh(Some(&second)).await.unwrap();
    assert_eq!((version(&trusted, Role::Root), version(&trusted, Role::Timestamp)), (3, 4));
    // From nothing but the first root, too.
    let (afresh, _) = stage.refresh(None).await.unwrap();
    assert_eq!(afresh, third);
    let few = Limits { max_new_roots: 1, ..Limits::default() };
    let stopped = stage.refresh_within(None, &few).await.unwrap_err();
    assert!(matches!(stopped, TufError::TooManyRoots { limit: 1 }), "{stopped:?}");
}

#[tokio::test]
async fn what_was_kept_is_told_to_have_expired_and_is_still_a_floor() {
    let stage = Stage::new().await;
    stage.sigstore.publish_tuf();
    let (cache, trusted) = stage.refresh(None).await.unwrap();
    assert_eq!(trusted.expired(stage.now()), []);
    stage.sigstore.clock().advance(SignedDuration::from_hours(24 * 8));
    let expired = trusted.expired(stage.now());
    assert_eq!(expired.iter().map(|state| state.role).collect::<Vec<_>>(), [Role::Timestamp]);
    assert!(stage.repository().verify(&cache).is_ok(), "authentic all the same");
    // The mirror sends what it sent before, which has expired.
    let frozen = stage.refresh(Some(&cache)).await.unwrap_err();
    assert!(matches!(frozen, TufError::Expired { role: Role::Timestamp, .. }), "{frozen:?}");
    // An attacker with the keys of the timestamp cannot go back, though what was kept has expired.
    stage.sigstore.publish_tuf();
    stage.sigstore.set(|bad| bad.tuf = vec![TufFault::Rollback(TufFile::Timestamp)]);
    let back = stage.refresh(Some(&cache)).await.unwrap_err();
    assert!(matches!(back, TufError::Rollback { role: Role::Timestamp, trusted: 2, found: 1 }), "{back:?}");
}

/// The error that a client gets which has seen version 2, when the mirror has version 3 and does this wrong.
async fn refused(fault: TufFault) -> TufError {
    let stage = Stage::new().await;
    stage.sigstore.publish_tuf();
    let (cache, _) = stage.refresh(None).await.unwrap();
    stage.sigstore.publish_tuf();
    if matches!(
        fault,
        TufFault::Unsigned(TufFile::Root)
            | TufFault::Expired(TufFile::Root)
            | TufFault::Endless(TufFile::Root)
    ) {
        stage.sigstore.rotate_tuf_root();
    }
    stage.sigstore.set(|bad| bad.tuf = vec![fault]);
    let limits = Limits { max_time: Duration::from_secs(2), ..Limits::default() };
    let error = stage.refresh_within(Some(&cache), &limits).await.unwrap_err();
    assert!(stage.repository().verify(&cache).is_ok(), "what was kept is as good as before");
    error
}

#[tokio::test]
async fn no_version_goes_back() {
    let root = refused(TufFault::Rollback(TufFile::Root)).await;
    assert!(matches!(root, TufError::RootVersion { trusted: 1, found: 1 }), "{root:?}");
    for (file, role) in [
        (TufFile::Timestamp, Role::Timestamp),
        (TufFile::Snapshot, Role::Snapshot),
        (TufFile::Targets, Role::Targets),
    ] {
        let error = refused(TufFault::Rollback(file)).await;
        let TufError::Rollback { role: found, trusted: 2, found: 1 } = error else {
            panic!("{file:?}: {error:?}");
        };
        assert_eq!(found, role);
    }
}

#[tokio::test]
async fn nothing_counts_without_its_signatures() {
    for (file, role) in [
        (TufFile::Root, Role::Root),
        (TufFile::Timestamp, Role::Timestamp),
        (TufFile::Snapshot, Role::Snapshot),
        (TufFile::Targets, Role::Targets),
    ] {
        let error = refused(TufFault::Unsigned(file)).await;
        let TufError::Signatures { role: found, found: 0, threshold: 1, .. } = error else {
            panic!("{file:?}: {error:?}");
        };
        assert_eq!(found, role);
    }
}

#[tokio::test]
async fn nothing_counts_after_it_expired() {
    for (file, role) in [
        (TufFile::Root, Role::Root),
        (TufFile::Timestamp, Role::Timestamp),
        (TufFile::Snapshot, Role::Snapshot),
        (TufFile::Targets, Role::Targets),
    ] {
        let error = refused(TufFault::Expired(file)).await;
        let TufError::Expired { role: found, .. } = error else { panic!("{file:?}: {error:?}") };
        assert_eq!(found, role);
    }
}

#[tokio::test]
async fn other_bytes_than_are_described_are_refused() {
    for name in [TufFile::Snapshot, TufFile::Targets] {
        let error = refused(TufFault::WrongHash(name)).await;
        assert!(matches!(error, TufError::Mismatch { .. }), "{name:?}: {error:?}");
    }
    let stage = Stage::new().await;
    stage.sigstore.set(|bad| bad.tuf = vec![TufFault::WrongHash(TufFile::Target)]);
    let error = stage.refresh(None).await.unwrap_err();
    assert!(matches!(&error, TufError::Target { name, .. } if name == TRUSTED_ROOT), "{error:?}");
}

#[tokio::test]
async fn a_file_without_end_is_cut_at_its_limit() {
    for (file, limit) in [
        (TufFile::Root, 512_000),
        (TufFile::Timestamp, 16_384),
        (TufFile::Snapshot, 2_000_000),
        (TufFile::Targets, 5_000_000),
    ] {
        let error = refused(TufFault::Endless(file)).await;
        let TufError::TooLarge { limit: found, .. } = error else { panic!("{file:?}: {error:?}") };
        assert_eq!(found, limit);
    }
    let stage = Stage::new().await;
    stage.sigstore.set(|bad| bad.tuf = vec![TufFault::Endless(TufFile::Target)]);
    let length = stage.sigstore.trusted_root().len() as u64;
    let error = stage.refresh(None).await.unwrap_err();
    assert!(matches!(error, TufError::TooLarge { limit, .. } if limit == length), "{error:?}");
    let small = Limits { max_target_bytes: 10, ..Limits::default() };
    let error = stage.refresh_within(None, &small).await.unwrap_err();
    assert!(matches!(error, TufError::TooLarge { limit: 10, .. }), "{error:?}");
}

#[tokio::test]
async fn a_mirror_that_sends_slowly_is_left() {
    let error = refused(TufFault::Dripping(TufFile::Timestamp)).await;
    assert!(matches!(error, TufError::TooSlow { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_not_there_or_not_to_be_had_is_told_apart() {
    let stage = Stage::new().await;
    stage.sigstore.set(|bad| bad.faults = vec![Fault::times("/tuf/timestamp.json", 404, u32::MAX)]);
    let missing = stage.refresh(None).await.unwrap_err();
    assert!(matches!(missing, TufError::Missing { .. }), "{missing:?}");
    stage.sigstore.set(|bad| bad.faults = vec![Fault::times("/tuf/timestamp.json", 500, u32::MAX)]);
    let broken = stage.refresh(None).await.unwrap_err();
    assert!(matches!(broken, TufError::Status { .. }), "{broken:?}");
    stage.sigstore.set(|bad| bad.faults = vec![Fault::times("/tuf/timestamp.json", 200, u32::MAX)]);
    let empty = stage.refresh(None).await.unwrap_err();
    assert!(matches!(empty, TufError::Unreadable { .. }), "{empty:?}");
    let nobody = stage.unreachable().await.unwrap_err();
    assert!(matches!(nobody, TufError::Fetch { .. }), "{nobody:?}");
}

#[tokio::test]
async fn what_was_kept_is_not_believed() {
    let stage = Stage::new().await;
    let (cache, _) = stage.refresh(None).await.unwrap();
    let text = String::from_utf8(cache.to_json().unwrap()).unwrap();
    let changed = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let cache = Cache::parse(changed.as_bytes(), &Limits::default()).unwrap();
        stage.repository().verify(&cache).unwrap_err()
    };
    // A target, metadata, and what is left out.
    let target = changed("organization", "organisation");
    assert!(matches!(target, TufError::Target { .. }), "{target:?}");
    let timestamp =
        changed(r#"\"_type\":\"timestamp\",\"expires\":\"2"#, r#"\"_type\":\"timestamp\",\"expires\":\"3"#);
    assert!(matches!(timestamp, TufError::Signatures { role: Role::Timestamp, .. }), "{timestamp:?}");
    let absent = changed("\"trusted_root.json\":", "\"other.json\":");
    assert!(matches!(absent, TufError::NoTarget { .. }), "{absent:?}");
    // It holds under its own root only.
    let other = Stage::new().await;
    let error = other.repository().verify(&cache).unwrap_err();
    assert!(matches!(error, TufError::Signatures { .. }), "{error:?}");
}

#[tokio::test]
async fn the_trust_root_has_to_be_listed_and_the_signing_configuration_need_not() {
    let stage = Stage::new().await;
    stage.sigstore.set(|bad| bad.tuf = vec![TufFault::Unlisted(TRUSTED_ROOT)]);
    let error = stage.refresh(None).await.unwrap_err();
    assert!(matches!(&error, TufError::NoTarget { name } if name == TRUSTED_ROOT), "{error:?}");
    stage.sigstore.set(|bad| bad.tuf = vec![TufFault::Unlisted(SIGNING_CONFIG)]);
    let (_, trusted) = stage.refresh(None).await.unwrap();
    assert_eq!(trusted.target(SIGNING_CONFIG), None);
    assert!(trusted.target(TRUSTED_ROOT).is_some());
}

#[tokio::test]
async fn with_other_keys_versions_may_begin_again() {
    let stage = Stage::new().await;
    stage.sigstore.publish_tuf();
    stage.sigstore.publish_tuf();
    let (cache, _) = stage.refresh(None).await.unwrap();
    stage.sigstore.rotate_tuf_root();
    let again = [TufFile::Timestamp, TufFile::Snapshot, TufFile::Targets].map(TufFault::Rollback);
    stage.sigstore.set(|bad| bad.tuf = again.to_vec());
    let (recovered, trusted) = stage.refresh(Some(&cache)).await.unwrap();
    assert_eq!((version(&trusted, Role::Root), version(&trusted, Role::Timestamp)), (2, 1));
    // And that is what is kept, whichever comes last.
    let home = tempfile::tempdir().unwrap();
    let (state, limits) = (State::at(home.path()), Limits::default());
    for kept in [&cache, &recovered, &cache] {
        state.keep(&stage.repository(), kept, &limits).unwrap();
    }
    assert_eq!(state.load(&stage.repository(), &limits).unwrap(), Some(recovered));
}
