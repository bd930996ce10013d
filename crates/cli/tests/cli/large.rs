//! SBOMs that are larger than a transparency log takes: its second version gets a digest, and the content goes beside the image alone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use touchmark_oci::Digest;
use touchmark_testkit::{Clock, Identity, Options, Sigstore};

use crate::made::{Entry, Layout, Shelf as _, tar};
use crate::stage::Stage;

const SUBJECT: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";
const MOST_BYTES: usize = 1 << 20;
const SBOM_BYTES: usize = 30 << 20;

/// Stands before a service and refuses bodies over [`MOST_BYTES`], as the proxies before public logs do.
fn narrow_door(upstream: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let upstream = upstream.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let upstream = upstream.clone();
            std::thread::spawn(move || pass(client, &upstream));
        }
    });
    address
}

/// One request and its answer; a client that goes away is its own business.
fn pass(mut client: TcpStream, upstream: &str) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        match line.trim() {
            "" => break,
            _ if lower.starts_with("connection:") => {}
            _ => head.push_str(&line),
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if length > MOST_BYTES {
        let refusal = "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return client.write_all(refusal.as_bytes()).ok();
    }
    let mut service = TcpStream::connect(upstream).ok()?;
    service.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).ok()?;
    service.write_all(&body).ok()?;
    let mut answer = Vec::new();
    service.read_to_end(&mut answer).ok()?;
    client.write_all(&answer).ok()
}

/// A layout with an image of so many packages that its SBOM is large.
fn image(stage: &Stage) {
    let description = "word ".repeat(2_400);
    let stanza = |n: usize| {
        format!(
            "Package: package-{n}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.{n}\n\
             Maintainer: A B <a@example.org>\nDescription: {description}\n\n"
        )
    };
    let database: String = (0..2_700).map(stanza).collect();
    let mut layout = Layout::new(stage, "image");
    let layer = tar(&[("var/lib/dpkg/status", Entry::File(database.as_bytes()))]);
    let described = layout.blob("application/vnd.oci.image.layer.v1.tar", &layer);
    layout.image_of(vec![(described, Digest::of(&layer).to_string())]);
}

#[test]
fn an_sbom_of_30_mib_is_attached_and_verified_though_the_log_takes_1_mib() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = Options { clock: Clock::system(), ..Options::at(Clock::system()) };
    let sigstore = runtime.block_on(Sigstore::start(options));
    let stage = Stage::empty();
    image(&stage);
    stage.write("trusted_root.json", &sigstore.trusted_root());
    stage.write("token", &sigstore.token(&Identity::uri(SUBJECT)));
    let door = narrow_door(&sigstore.url());
    for version in [1, 2] {
        let config = sigstore.signing_config(version).replace(&sigstore.url(), &door);
        stage.write(&format!("signing_config.{version}.json"), &config);
    }
    let attest = |config: &str| {
        stage.run(&[
            "sbom",
            "--attest",
            "--identity-token",
            "token",
            "--signing-config",
            config,
            "--trusted-root",
            "trusted_root.json",
            "-o",
            "cyclonedx-json=sbom.json",
            "oci:image:app",
        ])
    };
    // The first version's entries for statements are made from the whole envelope, and nothing is attached that it did not list.
    let refused = attest("signing_config.1.json").undecided();
    assert!(refused.stderr.contains("413"), "{}", refused.stderr);
    assert!(stage.read("sbom.json").len() > SBOM_BYTES, "{}", stage.read("sbom.json").len());
    let tree = stage.run(&["tree", "oci:image:app"]).ok();
    assert!(!tree.stdout.contains("attestation"), "{}", tree.stdout);
    attest("signing_config.2.json").ok();
    let issuer = sigstore.url();
    let verify = [
        "verify-attestation",
        "--type",
        "cyclonedx",
        "--certificate-identity",
        SUBJECT,
        "--certificate-oidc-issuer",
        &issuer,
        "--trusted-root",
        "trusted_root.json",
        "oci:image:app",
    ];
    assert!(stage.run(&verify).ok().stdout.len() > SBOM_BYTES);
}
