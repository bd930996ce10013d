//! Witnesses that sign a log's checkpoints with the time
//! ([tlog-cosignature](https://github.com/C2SP/C2SP/blob/main/tlog-cosignature.md)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Refusal;
use super::clock::Clock;
use super::keys::Key;
use super::merkle::sha256;

pub(super) struct Witness {
    name: String,
    key: Key,
    clock: Clock,
}

impl Witness {
    pub(super) fn new(number: usize, clock: &Clock) -> Result<Self, Refusal> {
        let name = format!("witness-{number}.example");
        Ok(Self { name, key: Key::ed25519()?, clock: clock.clone() })
    }

    /// The public key as signed notes write keys
    /// ([signed-note](https://github.com/C2SP/C2SP/blob/main/signed-note.md)).
    pub(super) fn verifier_key(&self) -> String {
        let key = [b"\x04", self.key.public_bits()].concat();
        let id: Vec<u8> = self.id().into_iter().take(4).collect();
        let id = hex::encode(id);
        format!("{}+{id}+{}", self.name, STANDARD.encode(key))
    }

    fn id(&self) -> [u8; 32] {
        sha256(&[self.name.as_bytes(), b"\n\x04", self.key.public_bits()])
    }

    /// A signature line for a checkpoint's text: the hint, the time in eight bytes, and the signature over both.
    pub(super) fn cosign(&self, text: &str) -> Result<String, Refusal> {
        let time = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        let mut signature = self.id().into_iter().take(4).collect::<Vec<u8>>();
        signature.extend(time.to_be_bytes());
        signature.extend(self.key.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes())?);
        Ok(format!("\u{2014} {} {}\n", self.name, STANDARD.encode(signature)))
    }
}
