//! Who signs keyless: the identity token that is given, the one that the CI job or the cloud has, or a person who logs in.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use touchmark_sign::keyless::{DeviceCode, IdentityToken, Login, LoginError, SigningServices, ambient_token};
use touchmark_transport::{Client, Url};

use crate::browser;
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{is_dash, read_input};
use crate::render::harmless;

/// Bytes of an identity token in a file.
const MAX_TOKEN_BYTES: u64 = 64 << 10;
/// Bytes of a code that is pasted.
const MAX_LINE_BYTES: u64 = 8 << 10;
/// How long a program that hands out tokens may take.
const PROGRAM_LIMIT: Duration = Duration::from_secs(30);
/// Sigstore's own issuer, where no signing configuration names another.
const PUBLIC_ISSUER: &str = "https://oauth2.sigstore.dev/auth";
/// How long the browser's answer is waited for: less than --timeout does by default, so that it is told what did not happen.
const BROWSER_LIMIT: Duration = Duration::from_secs(150);

/// `--identity-token`, and how to log in without one.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdentityArgs {
    /// Keyless: the identity token, or a file with it; - is standard input. Without it, the token that the CI job or the cloud gives,
    /// or else a login
    #[arg(
        long,
        value_name = "TOKEN",
        env = "TOUCHMARK_IDENTITY_TOKEN",
        hide_env_values = true,
        conflicts_with = "key"
    )]
    pub(crate) identity_token: Option<String>,
    /// Keyless: whom to log in with, an OpenID Connect issuer; without it, the signing configuration's, or Sigstore's own
    #[arg(long, value_name = "URL", env = "TOUCHMARK_OIDC_ISSUER", conflicts_with = "key")]
    oidc_issuer: Option<Url>,
    /// Keyless: as which client to log in, which is also whom the token has to be for
    #[arg(long, value_name = "ID", default_value = "sigstore", env = "TOUCHMARK_OIDC_CLIENT_ID")]
    oidc_client_id: String,
    /// Keyless: how to log in, where there is no token
    #[arg(long, value_name = "FLOW", default_value = "auto", env = "TOUCHMARK_OIDC_FLOW")]
    oidc_flow: Flow,
}

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Flow {
    /// On a terminal: a browser on this machine, or else another device, or else a code to paste
    Auto,
    /// A browser on this machine
    Browser,
    /// A code to type on another device
    Device,
    /// A browser anywhere, and a code to paste here
    Oob,
    /// Not at all: a token has to be there
    Token,
}

impl IdentityArgs {
    /// The token of whoever signs.
    pub(crate) async fn token(
        &self,
        client: &Client,
        services: &SigningServices,
        context: &Context,
    ) -> anyhow::Result<IdentityToken> {
        match self.given(client).await? {
            Some(text) => IdentityToken::parse_for(&text, &self.oidc_client_id, Timestamp::now())
                .context("cannot use the identity token"),
            None => self.log_in(client, services, context).await,
        }
    }

    async fn given(&self, client: &Client) -> anyhow::Result<Option<String>> {
        let Some(named) = &self.identity_token else {
            let variable = |name: &str| std::env::var(name).ok();
            let file = |path: &str| {
                let bytes = read_input(Path::new(path), MAX_TOKEN_BYTES).ok()?;
                String::from_utf8(bytes).ok()
            };
            return Ok(ambient_token(client, &variable, &file, &run).await?);
        };
        let path = Path::new(named);
        // A token has two dots and is no file's name on any machine.
        if !is_dash(path) && named.matches('.').count() == 2 && !path.exists() {
            return Ok(Some(named.clone()));
        }
        let bytes = read_input(path, MAX_TOKEN_BYTES)?;
        Ok(Some(String::from_utf8(bytes).context("the identity token is not text")?))
    }

    async fn log_in(
        &self,
        client: &Client,
        services: &SigningServices,
        context: &Context,
    ) -> anyhow::Result<IdentityToken> {
        // A flow that is asked for by name needs no terminal, unless something has to be typed there.
        let wanted = match self.oidc_flow {
            Flow::Token => false,
            Flow::Browser | Flow::Device => true,
            Flow::Auto | Flow::Oob => is_somebody_there(),
        };
        if !wanted {
            return Err(nobody());
        }
        let issuer = match self.oidc_issuer.as_ref().or(services.identity_provider()) {
            Some(issuer) => issuer.clone(),
            None => PUBLIC_ISSUER.parse().context("the public issuer")?,
        };
        let failed = || format!("cannot log in with {issuer}");
        let login = Login::discover(client.clone(), &issuer, &self.oidc_client_id).await;
        let login = login.map_err(told).with_context(failed)?;
        let token = match self.oidc_flow {
            Flow::Browser => in_browser(&login, context).await,
            Flow::Device => by_device(&login, context).await,
            Flow::Oob => login.out_of_band(|url| paste(url, context)).await,
            Flow::Auto | Flow::Token => match in_browser(&login, context).await {
                Err(LoginError::NoBrowser) if login.offers_device() => by_device(&login, context).await,
                Err(LoginError::NoBrowser) => login.out_of_band(|url| paste(url, context)).await,
                done => done,
            },
        };
        token.map_err(told).with_context(failed)
    }
}

/// What a program writes, if it succeeds in time. It may tell the user what it does.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let started = Instant::now();
    let command = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = command.ok()?;
    let (send, written) = mpsc::channel();
    let stdout = child.stdout.take()?;
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.take(MAX_TOKEN_BYTES).read_to_string(&mut text);
        // Nobody waits any longer when the program took too long.
        let _ = send.send(read.ok().map(|_| text));
    });
    let text = written.recv_timeout(PROGRAM_LIMIT).ok().flatten();
    while text.is_some() && started.elapsed() < PROGRAM_LIMIT {
        match child.try_wait().ok()? {
            Some(status) => return text.filter(|_| status.success()),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    // It ended by itself if this fails.
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Whether there is a person to ask: a terminal, and no CI system, which may have one, too.
fn is_somebody_there() -> bool {
    let automatic = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    !automatic && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn nobody() -> anyhow::Error {
    Mistake::new(
        "nothing to sign with: no --key, no identity token, and nobody to log in",
        "--key KEY names a key (touchmark key generate makes one); keyless, --identity-token TOKEN names the identity, the CI job gets \
         one when it may (GitHub: permissions, id-token: write), and on a terminal somebody can log in",
    )
    .into()
}

async fn in_browser(login: &Login, context: &Context) -> Result<IdentityToken, LoginError> {
    let open = |url: &Url| {
        let opened = browser::open(url);
        if opened {
            context.ask(&format!("log in in the browser that was opened, or at\n  {url}"));
        }
        opened
    };
    login.in_browser(BROWSER_LIMIT, open).await
}

async fn by_device(login: &Login, context: &Context) -> Result<IdentityToken, LoginError> {
    let show = |code: &DeviceCode| {
        let address = code.complete_url.as_ref().unwrap_or(&code.verification_url);
        let (code, minutes) = (harmless(&code.user_code), code.lifetime.as_secs().div_ceil(60));
        context.ask(&format!("log in at\n  {address}\nwith the code {code}, within {minutes} minutes"));
    };
    login.by_device(show).await
}

fn paste(url: &Url, context: &Context) -> std::io::Result<String> {
    context.ask(&format!("log in at\n  {url}\nand paste the code that is shown there:"));
    let mut line = String::new();
    std::io::stdin().lock().take(MAX_LINE_BYTES).read_line(&mut line)?;
    Ok(line)
}

/// With a way out, where there is one.
fn told(error: LoginError) -> anyhow::Error {
    let hint = match &error {
        LoginError::NoBrowser => "BROWSER names one; --oidc-flow device or oob needs none here",
        LoginError::NoEndpoint { .. } => "another --oidc-flow: browser, device or oob",
        LoginError::TimedOut { .. } => "--oidc-flow device or oob for a browser on another machine",
        LoginError::Transport { .. } | LoginError::Refused { .. } | LoginError::Issuer { .. } => {
            "--oidc-issuer URL names another issuer; --identity-token TOKEN needs none"
        }
        _ => return error.into(),
    };
    let message = error.to_string();
    Mistake::from_error(error, message, hint).into()
}
