//! A JWT-SVID from SPIFFE's Workload API: one gRPC call over the socket that the agent listens on
//! ([SPIFFE Workload API](https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_API.md) and
//! [Workload Endpoint](https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_Endpoint.md)). The agent knows who asks from
//! the socket itself.

use std::io;
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use touchmark_transport::Bytes;

use super::AmbientError;

/// The agent's method; the host of the address says nothing on a socket.
const METHOD: &str = "http://localhost/SpiffeWorkloadAPI/FetchJWTSVID";
/// How long the agent may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Bytes of an answer. A JWT-SVID has about a thousand.
const MAX_ANSWER_BYTES: usize = 256 << 10;
/// The status of a call that ended without one (gRPC, `UNKNOWN`).
const UNKNOWN: u32 = 2;
/// The wire type of texts and messages (protobuf encoding, "Message Structure").
const LENGTH_DELIMITED: u64 = 2;

/// A JWT-SVID for `audience` from the agent at `endpoint`, a `unix:` address.
pub(super) async fn fetch(endpoint: &str, audience: &str) -> Result<String, AmbientError> {
    let path = endpoint.strip_prefix("unix:").map(|path| path.strip_prefix("//").unwrap_or(path));
    let path =
        path.filter(|path| path.starts_with('/')).ok_or(AmbientError::Address { provider: "SPIFFE" })?;
    let failed = |source| AmbientError::Socket { path: path.to_owned(), source };
    let answer = tokio::time::timeout(LIMIT, ask(path, audience)).await;
    let (status, body) = answer.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
    match status {
        0 => svid_in_answer(&body).ok_or(AmbientError::NoSvid),
        status => Err(AmbientError::Grpc { status }),
    }
}

/// The token in an answer's body: for answers that were recorded. `None` when it is no such answer or has none.
pub fn svid_in_answer(body: &[u8]) -> Option<String> {
    // Not compressed, and the length of the message (gRPC over HTTP/2, "Length-Prefixed-Message").
    let (&[0, a, b, c, d], message) = body.split_first_chunk::<5>()? else { return None };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    // JWTSVIDResponse.svids = 1, JWTSVID.svid = 2.
    let svid = field(field(message.get(..length)?, 1)?, 2)?;
    String::from_utf8(svid.to_vec()).ok().filter(|text| !text.is_empty())
}

async fn ask(path: &str, audience: &str) -> io::Result<(u32, Vec<u8>)> {
    let socket = UnixStream::connect(path).await?;
    let (client, connection) = h2::client::handshake(socket).await.map_err(io::Error::other)?;
    // Ends with this function.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::post(METHOD)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        // Against requests that a page or a proxy was talked into (Workload Endpoint §3).
        .header("workload.spiffe.io", "true")
        .body(())
        .map_err(io::Error::other)?;
    let mut client = client.ready().await.map_err(io::Error::other)?;
    let (response, mut sender) = client.send_request(request, false).map_err(io::Error::other)?;
    sender.send_data(question(audience), true).map_err(io::Error::other)?;
    let response = response.await.map_err(io::Error::other)?;
    let head = (response.status(), response.headers().clone());
    let mut incoming = response.into_body();
    let mut body = Vec::new();
    while let Some(chunk) = incoming.data().await {
        let chunk = chunk.map_err(io::Error::other)?;
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        incoming.flow_control().release_capacity(chunk.len()).map_err(io::Error::other)?;
        body.extend_from_slice(&chunk);
    }
    let trailers = incoming.trailers().await.map_err(io::Error::other)?;
    Ok((status(&head.0, &trailers.unwrap_or(head.1)), body))
}

/// gRPC's status, which a refusal gives without a body in the head.
fn status(http: &StatusCode, headers: &HeaderMap) -> u32 {
    let given = headers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse().ok());
    given.filter(|_| *http == StatusCode::OK).unwrap_or(UNKNOWN)
}

/// JWTSVIDRequest.audience = 1, behind its length.
fn question(audience: &str) -> Bytes {
    // The audience is ours and shorter than 120 bytes, so that each length is one byte.
    let length = u8::try_from(audience.len()).unwrap_or_default();
    let head = [0, 0, 0, 0, length + 2, 1 << 3 | 2, length];
    [&head, audience.as_bytes()].concat().into()
}

/// The first text or message in a field of that number (protobuf encoding, "Message Structure").
fn field(mut rest: &[u8], wanted: u64) -> Option<&[u8]> {
    while !rest.is_empty() {
        let (key, after) = varint(rest)?;
        let (value, after) = match key & 7 {
            0 => (&[][..], varint(after)?.1),
            1 => after.split_at_checked(8)?,
            LENGTH_DELIMITED => {
                let (length, after) = varint(after)?;
                after.split_at_checked(usize::try_from(length).ok()?)?
            }
            5 => after.split_at_checked(4)?,
            _ => return None,
        };
        if key == wanted << 3 | LENGTH_DELIMITED {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// A number of up to 64 bits, seven to a byte (protobuf encoding, "Base 128 Varints").
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(u32::try_from(place * 7).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::Response;
    use tokio::net::UnixListener;

    use super::*;

    /// An agent that answers one call with these bytes and this status.
    async fn agent(body: &'static [u8], status: &'static str) -> Result<String, AmbientError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(socket).await.unwrap();
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            assert_eq!(request.uri().path(), "/SpiffeWorkloadAPI/FetchJWTSVID");
            assert_eq!(request.headers()["workload.spiffe.io"], "true");
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(body), false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            stream.send_trailers(trailers).unwrap();
            let mut incoming = request.into_body();
            let serve = async { while connection.accept().await.is_some() {} };
            let asked = async { incoming.data().await.unwrap().unwrap() };
            let (_, asked) = tokio::join!(serve, asked);
            assert_eq!(&asked[..], b"\0\0\0\0\x0a\x0a\x08sigstore");
        });
        let answer = fetch(&format!("unix://{}", path.display()), "sigstore").await;
        server.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_agent_gives_a_token_to_whoever_asks_on_its_socket() {
        // svids { spiffe_id: "id", svid: "a.b.c" }
        let body = b"\0\0\0\0\x0d\x0a\x0b\x0a\x02id\x12\x05a.b.c";
        assert_eq!(agent(body, "0").await.unwrap(), "a.b.c");
        assert!(matches!(agent(body, "7").await, Err(AmbientError::Grpc { status: 7 })));
        assert!(matches!(agent(body, "no number").await, Err(AmbientError::Grpc { status: UNKNOWN })));
        assert!(matches!(agent(b"\0\0\0\0\0", "0").await, Err(AmbientError::NoSvid)));
    }

    #[tokio::test]
    async fn an_address_that_is_no_socket_or_has_no_agent_is_told() {
        for address in ["", "unix:", "unix:relative", "tcp://127.0.0.1:1"] {
            let told = fetch(address, "sigstore").await;
            assert!(matches!(told, Err(AmbientError::Address { provider: "SPIFFE" })), "{address}");
        }
        let nobody = fetch("unix:///no/such/socket", "sigstore").await;
        assert!(matches!(nobody, Err(AmbientError::Socket { path, .. }) if path == "/no/such/socket"));
    }

    #[test]
    fn fields_are_found_among_others_and_half_a_message_has_none() {
        // 3: varint 300, 4: fixed64, 5: fixed32, 1: "x".
        let message = b"\x18\xac\x02\x21\0\0\0\0\0\0\0\0\x2d\0\0\0\0\x0a\x01x";
        assert_eq!(field(message, 1), Some(&b"x"[..]));
        assert_eq!(field(message, 2), None);
        for end in 1..message.len() {
            assert_eq!(field(&message[..end], 1), None, "{end}");
        }
        for bad in [
            &b"\x0b"[..],
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        ] {
            assert_eq!(field(bad, 1), None);
        }
        assert_eq!(svid_in_answer(b"\x01\0\0\0\0"), None);
        assert_eq!(svid_in_answer(b"\0\0\0\0\xff\x0a"), None);
    }
}
