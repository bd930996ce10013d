//! Who may do what: challenges, and the token server.

use std::collections::{BTreeMap, HashMap};

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use touchmark_demo_sigstore::serving::{Answer, pairs, respond};

use super::wire::{Asked, error};
use super::{Auth, Shared, lock};

impl Shared {
    /// The token server: what it gives names the user and what is allowed.
    pub(super) fn token(&self, asked: &Asked) -> Answer {
        let Auth::Bearer { users, refresh_tokens, anonymous_pull, .. } = lock(&self.knobs).auth.clone()
        else {
            return error(404, "NOT_FOUND");
        };
        let (user, scopes) = if asked.method == Method::POST {
            let form: HashMap<String, String> =
                pairs(&String::from_utf8_lossy(&asked.body)).into_iter().collect();
            let known = form.get("refresh_token").is_some_and(|token| refresh_tokens.contains(token));
            let scopes = form.get("scope").map(|scope| scope.split(' ').map(str::to_owned).collect());
            (known.then(|| "refreshed".to_owned()), scopes.unwrap_or_default())
        } else {
            let user = match basic_user(asked, &users) {
                None => anonymous_pull.then(|| "anonymous".to_owned()),
                Some(user) => user,
            };
            (user, asked.scopes.clone())
        };
        let Some(user) = user else {
            return error(401, "UNAUTHORIZED");
        };
        let allowed: Vec<String> = scopes
            .iter()
            .map(|scope| if user == "anonymous" { scope.replace("pull,push", "pull") } else { scope.clone() })
            .collect();
        let token = STANDARD.encode(format!("{user} {}", allowed.join(" ")));
        respond(200, &[], json!({"token": token, "expires_in": 300}).to_string())
    }

    pub(super) fn unauthorized(&self, asked: &Asked) -> Option<Answer> {
        let auth = lock(&self.knobs).auth.clone();
        let given = asked.header("authorization");
        let challenge = match auth {
            Auth::None => return None,
            Auth::Basic(users) => {
                if basic_user(asked, &users).flatten().is_some() {
                    return None;
                }
                "Basic realm=\"fake\"".to_owned()
            }
            Auth::Bearer { realm, .. } => {
                let scope = needed_scope(asked);
                if given
                    .and_then(|given| given.strip_prefix("Bearer "))
                    .is_some_and(|token| allows(token, &scope))
                {
                    return None;
                }
                let realm = realm.unwrap_or_else(|| format!("http://{}/token", self.address));
                format!("Bearer realm=\"{realm}\",service=\"fake\",scope=\"{scope}\"")
            }
        };
        let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]});
        Some(respond(401, &[("www-authenticate", challenge)], body.to_string()))
    }
}

fn needed_scope(asked: &Asked) -> String {
    let rest = asked.path.strip_prefix("/v2/").unwrap_or_default();
    let end = ["/blobs/", "/manifests/", "/referrers/"].iter().filter_map(|part| rest.find(part)).min();
    let repository = end.and_then(|end| rest.get(..end)).unwrap_or_default();
    let action = if matches!(asked.method, Method::GET | Method::HEAD) { "pull" } else { "pull,push" };
    format!("repository:{repository}:{action}")
}

fn allows(token: &str, scope: &str) -> bool {
    let text = STANDARD.decode(token).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split(' ').skip(1).any(|allowed| allowed == scope || allowed == format!("{scope},push"))
}

/// Who an `Authorization: Basic` names: nothing without one, `Some(None)` for a wrong one.
fn basic_user(asked: &Asked, users: &BTreeMap<String, String>) -> Option<Option<String>> {
    let pair = STANDARD.decode(asked.header("authorization")?.strip_prefix("Basic ")?).unwrap_or_default();
    let pair = String::from_utf8_lossy(&pair);
    let (user, password) = pair.split_once(':').unwrap_or_default();
    Some(users.get(user).is_some_and(|wanted| wanted == password).then(|| user.to_owned()))
}
