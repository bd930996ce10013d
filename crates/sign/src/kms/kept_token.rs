//! An access token that is still good, so that not every signature asks for another.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::KmsError;

/// Azure's tokens are good for an hour or more, of which a managed identity's may have used most; Google's metadata server gives tokens
/// that are good for five minutes at least. None is kept for longer.
const KEPT: Duration = Duration::from_secs(240);

/// A token and since when it is known.
#[derive(Default)]
pub(super) struct KeptToken {
    kept: Mutex<Option<(Zeroizing<String>, Instant)>>,
}

impl KeptToken {
    /// The token, from `find` when there is none that is good now. Whoever asks meanwhile waits for the same.
    pub(super) async fn get(
        &self,
        find: impl Future<Output = Result<Zeroizing<String>, KmsError>>,
    ) -> Result<Zeroizing<String>, KmsError> {
        let mut kept = self.kept.lock().await;
        if let Some((token, since)) = &*kept
            && since.elapsed() < KEPT
        {
            return Ok(token.clone());
        }
        let token = find.await?;
        *kept = Some((token.clone(), Instant::now()));
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_asked_for_once_while_it_is_good() {
        let kept = KeptToken::default();
        let token = |text: &str| Zeroizing::new(text.to_owned());
        assert_eq!(kept.get(async { Ok(token("first")) }).await.unwrap(), token("first"));
        assert_eq!(kept.get(async { Ok(token("second")) }).await.unwrap(), token("first"));
    }
}
