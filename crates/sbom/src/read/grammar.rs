//! The objects of CycloneDX: their members, since which version, and of which shape.
//!
//! Written after the JSON schemas [1.3 to 1.7](https://github.com/CycloneDX/specification/tree/1.7.1/schema). One table serves three
//! ends: it refuses what a version does not have, it takes out what an older version does not have when a document is written in
//! one, and it says what the elements of XML are. Objects that no part of this project looks into are [`Shape::Any`].

use serde_json::{Map, Value};

use super::Problem;
use super::check::rules;
use crate::CycloneDxVersion as V;

/// A kind of object.
pub(super) struct Object {
    pub(super) members: &'static [Member],
    /// Whether it has members that are not told here, because nothing looks into them. From XML such an object is not read.
    pub(super) is_open: bool,
    /// The member that an XML element's text is.
    pub(super) text: &'static str,
    /// What the shapes of the members do not say.
    pub(super) rule: fn(&Map<String, Value>, V) -> Option<Problem>,
}

/// A member of an object.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) since: V,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

/// What a member's value looks like.
pub(super) enum Shape {
    Text,
    /// A name within the document: not empty.
    Ref,
    /// A name within the document, or since 1.7 an object.
    RefOrObject,
    Flag,
    Integer,
    Number,
    /// RFC 3339.
    Time,
    /// A checksum: as many hexadecimal digits as one of the algorithms gives.
    Hex,
    /// A UUID as a URN.
    Serial,
    /// An identifier of the SPDX licence list.
    LicenseId,
    /// One of these words.
    Word(&'static Words),
    /// An object.
    Object(&'static Object),
    /// A list, and what its items are called in XML.
    List(&'static Shape, Xml),
    /// A list, or since 1.5 or 1.6 an object.
    Either(&'static Shape, &'static Object),
    /// What is not looked into.
    Any,
}

/// How XML writes a list.
pub(super) enum Xml {
    /// An element of the member's name, with items of these names inside.
    Inside(&'static [&'static str]),
    /// Items of this name, one after the other, with nothing around them.
    Bare(&'static str),
}

/// Words, and what a version that lacks one of them says instead, if anything.
pub(super) struct Words {
    pub(super) words: &'static [(&'static str, V)],
    pub(super) instead: Option<&'static str>,
}

const fn since(since: V, name: &'static str, shape: Shape) -> Member {
    Member { name, since, required: false, shape }
}

const fn m(name: &'static str, shape: Shape) -> Member {
    since(V::V1_3, name, shape)
}

const fn must(name: &'static str, shape: Shape) -> Member {
    Member { name, since: V::V1_3, required: true, shape }
}

const fn object(members: &'static [Member]) -> Object {
    Object { members, is_open: false, text: "", rule: rules::none }
}

const fn open(members: &'static [Member]) -> Object {
    Object { members, is_open: true, text: "", rule: rules::none }
}

use Shape::{Any, Either, Flag, Hex, Integer, LicenseId, List, Number, Ref, Serial, Text, Time, Word};
use Xml::{Bare, Inside};

const URLS: Shape = List(&Text, Inside(&["url"]));
static COMPONENT_ITEM: Shape = Shape::Object(&COMPONENT);
static SERVICE_ITEM: Shape = Shape::Object(&SERVICE);

/// A component may hold components, so this is no constant, which could not name itself.
const fn components() -> Shape {
    List(&COMPONENT_ITEM, Inside(&["component"]))
}

const fn services() -> Shape {
    List(&SERVICE_ITEM, Inside(&["service"]))
}

const HASHES: Shape = List(&Shape::Object(&HASH), Inside(&["hash"]));
const PROPERTIES: Shape = List(&Shape::Object(&PROPERTY), Inside(&["property"]));
const REFERENCES: Shape = List(&Shape::Object(&REFERENCE), Inside(&["reference"]));
const LICENSES: Shape =
    List(&Shape::Object(&LICENSE_CHOICE), Inside(&["license", "expression", "expression-detailed"]));
const AUTHORS: Shape = List(&Shape::Object(&CONTACT), Inside(&["author"]));

pub(super) static BOM: Object = object(&[
    m("$schema", Text),
    must("bomFormat", Word(&Words { words: &[("CycloneDX", V::V1_3)], instead: None })),
    must("specVersion", Text),
    m("serialNumber", Serial),
    m("version", Integer),
    m("metadata", Shape::Object(&METADATA)),
    m("components", components()),
    m("services", services()),
    m("externalReferences", REFERENCES),
    m("dependencies", List(&Shape::Object(&DEPENDENCY), Inside(&["dependency"]))),
    m("compositions", List(&Shape::Object(&COMPOSITION), Inside(&["composition"]))),
    since(V::V1_4, "vulnerabilities", List(&Any, Inside(&[]))),
    since(V::V1_4, "signature", Any),
    since(V::V1_5, "annotations", List(&Any, Inside(&[]))),
    since(V::V1_5, "formulation", List(&Any, Inside(&[]))),
    since(V::V1_5, "properties", PROPERTIES),
    since(V::V1_6, "declarations", Any),
    since(V::V1_6, "definitions", Shape::Object(&DEFINITIONS)),
    since(V::V1_7, "citations", List(&Shape::Object(&CITATION), Inside(&["citation"]))),
]);

static METADATA: Object = object(&[
    m("timestamp", Time),
    m("tools", Either(&List(&Shape::Object(&TOOL), Inside(&["tool"])), &TOOLS)),
    m("authors", AUTHORS),
    m("component", Shape::Object(&COMPONENT)),
    m("manufacture", Shape::Object(&ENTITY)),
    m("supplier", Shape::Object(&ENTITY)),
    m("licenses", LICENSES),
    m("properties", PROPERTIES),
    since(V::V1_5, "lifecycles", List(&Any, Inside(&[]))),
    since(V::V1_6, "manufacturer", Shape::Object(&ENTITY)),
    since(V::V1_7, "distributionConstraints", Any),
]);

/// Since 1.5.
static TOOLS: Object = object(&[m("components", components()), m("services", services())]);

static TOOL: Object = object(&[
    m("vendor", Text),
    m("name", Text),
    m("version", Text),
    m("hashes", HASHES),
    since(V::V1_4, "externalReferences", REFERENCES),
]);

static ENTITY: Object = object(&[
    m("name", Text),
    m("url", List(&Text, Bare("url"))),
    m("contact", List(&Shape::Object(&CONTACT), Bare("contact"))),
    since(V::V1_5, "bom-ref", Ref),
    since(V::V1_6, "address", Any),
]);

static CONTACT: Object =
    object(&[m("name", Text), m("email", Text), m("phone", Text), since(V::V1_5, "bom-ref", Ref)]);

static COMPONENT: Object = Object {
    members: &[
        must("type", Word(&KINDS)),
        must("name", Text),
        m("mime-type", Text),
        m("bom-ref", Ref),
        m("supplier", Shape::Object(&ENTITY)),
        m("author", Text),
        m("publisher", Text),
        m("group", Text),
        m("version", Text),
        m("description", Text),
        m("scope", Word(&SCOPES)),
        m("hashes", HASHES),
        m("licenses", LICENSES),
        m("copyright", Text),
        m("cpe", Text),
        m("purl", Text),
        m("swid", Shape::Object(&SWID)),
        m("modified", Flag),
        m("pedigree", Shape::Object(&PEDIGREE)),
        m("externalReferences", REFERENCES),
        m("components", components()),
        m("evidence", Shape::Object(&EVIDENCE)),
        m("properties", PROPERTIES),
        since(V::V1_4, "releaseNotes", Any),
        since(V::V1_4, "signature", Any),
        since(V::V1_5, "modelCard", Shape::Object(&MODEL_CARD)),
        since(V::V1_5, "data", List(&Any, Inside(&[]))),
        since(V::V1_6, "manufacturer", Shape::Object(&ENTITY)),
        since(V::V1_6, "authors", AUTHORS),
        since(V::V1_6, "omniborId", List(&Text, Bare("omniborId"))),
        since(V::V1_6, "swhid", List(&Text, Bare("swhid"))),
        since(V::V1_6, "cryptoProperties", Shape::Object(&CRYPTO)),
        since(V::V1_6, "tags", List(&Text, Inside(&["tag"]))),
        since(V::V1_7, "versionRange", Text),
        since(V::V1_7, "isExternal", Flag),
        since(V::V1_7, "patentAssertions", List(&Any, Inside(&[]))),
    ],
    is_open: false,
    text: "",
    rule: rules::component,
};

static KINDS: Words = Words {
    words: &[
        ("application", V::V1_3),
        ("framework", V::V1_3),
        ("library", V::V1_3),
        ("container", V::V1_3),
        ("operating-system", V::V1_3),
        ("device", V::V1_3),
        ("firmware", V::V1_3),
        ("file", V::V1_3),
        ("platform", V::V1_5),
        ("device-driver", V::V1_5),
        ("machine-learning-model", V::V1_5),
        ("data", V::V1_5),
        ("cryptographic-asset", V::V1_6),
    ],
    instead: Some("library"),
};

static SCOPES: Words =
    Words { words: &[("required", V::V1_3), ("optional", V::V1_3), ("excluded", V::V1_3)], instead: None };

static HASH: Object = Object {
    members: &[must("alg", Word(&ALGORITHMS)), must("content", Hex)],
    is_open: false,
    text: "content",
    rule: rules::none,
};

static ALGORITHMS: Words = Words {
    words: &[
        ("MD5", V::V1_3),
        ("SHA-1", V::V1_3),
        ("SHA-256", V::V1_3),
        ("SHA-384", V::V1_3),
        ("SHA-512", V::V1_3),
        ("SHA3-256", V::V1_3),
        ("SHA3-384", V::V1_3),
        ("SHA3-512", V::V1_3),
        ("BLAKE2b-256", V::V1_3),
        ("BLAKE2b-384", V::V1_3),
        ("BLAKE2b-512", V::V1_3),
        ("BLAKE3", V::V1_3),
        ("Streebog-256", V::V1_7),
        ("Streebog-512", V::V1_7),
    ],
    instead: None,
};

pub(super) static LICENSE_CHOICE: Object = Object {
    members: &[
        m("license", Shape::Object(&LICENSE)),
        m("expression", Text),
        since(V::V1_5, "bom-ref", Ref),
        since(V::V1_6, "acknowledgement", Word(&ACKNOWLEDGEMENTS)),
        since(V::V1_7, "expressionDetails", List(&Shape::Object(&DETAIL), Bare("details"))),
        since(V::V1_7, "licensing", Any),
        since(V::V1_7, "properties", PROPERTIES),
    ],
    is_open: false,
    text: "expression",
    rule: rules::license_choice,
};

static DETAIL: Object = object(&[
    must("licenseIdentifier", Text),
    m("bom-ref", Ref),
    m("text", Shape::Object(&ATTACHMENT)),
    m("url", Text),
]);

static LICENSE: Object = Object {
    members: &[
        m("id", LicenseId),
        m("name", Text),
        m("text", Shape::Object(&ATTACHMENT)),
        m("url", Text),
        since(V::V1_5, "bom-ref", Ref),
        since(V::V1_5, "licensing", Any),
        since(V::V1_5, "properties", PROPERTIES),
        since(V::V1_6, "acknowledgement", Word(&ACKNOWLEDGEMENTS)),
    ],
    is_open: false,
    text: "",
    rule: rules::license,
};

static ACKNOWLEDGEMENTS: Words =
    Words { words: &[("declared", V::V1_6), ("concluded", V::V1_6)], instead: None };

static ATTACHMENT: Object = Object {
    members: &[
        must("content", Text),
        m("contentType", Text),
        m("encoding", Word(&Words { words: &[("base64", V::V1_3)], instead: None })),
    ],
    is_open: false,
    text: "content",
    rule: rules::none,
};

static SWID: Object = object(&[
    must("tagId", Text),
    must("name", Text),
    m("version", Text),
    m("tagVersion", Integer),
    m("patch", Flag),
    m("text", Shape::Object(&ATTACHMENT)),
    m("url", Text),
]);

static PEDIGREE: Object = object(&[
    m("ancestors", components()),
    m("descendants", components()),
    m("variants", components()),
    m("commits", List(&Shape::Object(&COMMIT), Inside(&["commit"]))),
    m("patches", List(&Shape::Object(&PATCH), Inside(&["patch"]))),
    m("notes", Text),
]);

static COMMIT: Object = object(&[
    m("uid", Text),
    m("url", Text),
    m("author", Shape::Object(&ACTION)),
    m("committer", Shape::Object(&ACTION)),
    m("message", Text),
]);

static ACTION: Object = object(&[m("timestamp", Time), m("name", Text), m("email", Text)]);

static PATCH: Object = object(&[
    must("type", Word(&PATCHES)),
    m("diff", Shape::Object(&DIFF)),
    m("resolves", List(&Shape::Object(&ISSUE), Inside(&["issue"]))),
]);

static PATCHES: Words = Words {
    words: &[("unofficial", V::V1_3), ("monkey", V::V1_3), ("backport", V::V1_3), ("cherry-pick", V::V1_3)],
    instead: None,
};

static DIFF: Object = object(&[m("text", Shape::Object(&ATTACHMENT)), m("url", Text)]);

static ISSUE: Object = object(&[
    must("type", Word(&ISSUES)),
    m("id", Text),
    m("name", Text),
    m("description", Text),
    m("source", Shape::Object(&ISSUE_SOURCE)),
    m("references", URLS),
]);

static ISSUES: Words =
    Words { words: &[("defect", V::V1_3), ("enhancement", V::V1_3), ("security", V::V1_3)], instead: None };

static ISSUE_SOURCE: Object = object(&[m("name", Text), m("url", Text)]);

static REFERENCE: Object = object(&[
    must("url", Text),
    must("type", Word(&REFERENCE_KINDS)),
    m("comment", Text),
    m("hashes", HASHES),
    since(V::V1_7, "properties", PROPERTIES),
]);

static REFERENCE_KINDS: Words = Words {
    words: &[
        ("vcs", V::V1_3),
        ("issue-tracker", V::V1_3),
        ("website", V::V1_3),
        ("advisories", V::V1_3),
        ("bom", V::V1_3),
        ("mailing-list", V::V1_3),
        ("social", V::V1_3),
        ("chat", V::V1_3),
        ("documentation", V::V1_3),
        ("support", V::V1_3),
        ("distribution", V::V1_3),
        ("license", V::V1_3),
        ("build-meta", V::V1_3),
        ("build-system", V::V1_3),
        ("other", V::V1_3),
        ("release-notes", V::V1_4),
        ("distribution-intake", V::V1_5),
        ("security-contact", V::V1_5),
        ("model-card", V::V1_5),
        ("log", V::V1_5),
        ("configuration", V::V1_5),
        ("evidence", V::V1_5),
        ("formulation", V::V1_5),
        ("attestation", V::V1_5),
        ("threat-model", V::V1_5),
        ("adversary-model", V::V1_5),
        ("risk-assessment", V::V1_5),
        ("vulnerability-assertion", V::V1_5),
        ("exploitability-statement", V::V1_5),
        ("pentest-report", V::V1_5),
        ("static-analysis-report", V::V1_5),
        ("dynamic-analysis-report", V::V1_5),
        ("runtime-analysis-report", V::V1_5),
        ("component-analysis-report", V::V1_5),
        ("maturity-report", V::V1_5),
        ("certification-report", V::V1_5),
        ("codified-infrastructure", V::V1_5),
        ("quality-metrics", V::V1_5),
        ("poam", V::V1_5),
        ("source-distribution", V::V1_6),
        ("electronic-signature", V::V1_6),
        ("digital-signature", V::V1_6),
        ("rfc-9116", V::V1_6),
        ("patent", V::V1_7),
        ("patent-family", V::V1_7),
        ("patent-assertion", V::V1_7),
        ("citation", V::V1_7),
    ],
    instead: Some("other"),
};

static EVIDENCE: Object = object(&[
    m("licenses", LICENSES),
    m("copyright", List(&Shape::Object(&COPYRIGHT), Inside(&["text"]))),
    since(V::V1_5, "identity", Either(&List(&Shape::Object(&IDENTITY), Bare("identity")), &IDENTITY)),
    since(V::V1_5, "occurrences", List(&Shape::Object(&OCCURRENCE), Inside(&["occurrence"]))),
    since(V::V1_5, "callstack", Any),
]);

static IDENTITY: Object = object(&[
    m("field", Text),
    m("confidence", Number),
    m("methods", List(&Shape::Object(&METHOD), Inside(&["method"]))),
    m("tools", List(&Ref, Inside(&["tool"]))),
    since(V::V1_6, "concludedValue", Text),
]);

static METHOD: Object = object(&[m("technique", Text), m("confidence", Number), m("value", Text)]);

static OCCURRENCE: Object = object(&[
    m("bom-ref", Ref),
    must("location", Text),
    since(V::V1_6, "line", Integer),
    since(V::V1_6, "offset", Integer),
    since(V::V1_6, "symbol", Text),
    since(V::V1_6, "additionalContext", Text),
]);

static COPYRIGHT: Object =
    Object { members: &[must("text", Text)], is_open: false, text: "text", rule: rules::none };

static DEPENDENCY: Object = object(&[
    must("ref", Ref),
    m("dependsOn", List(&Ref, Bare("dependency"))),
    since(V::V1_6, "provides", List(&Ref, Bare("provides"))),
]);

static COMPOSITION: Object = object(&[
    must("aggregate", Word(&AGGREGATES)),
    m("assemblies", List(&Ref, Inside(&["assembly"]))),
    m("dependencies", List(&Ref, Inside(&["dependency"]))),
    since(V::V1_4, "signature", Any),
    since(V::V1_5, "bom-ref", Ref),
    since(V::V1_5, "vulnerabilities", List(&Ref, Inside(&["vulnerability"]))),
]);

static AGGREGATES: Words = Words {
    words: &[
        ("complete", V::V1_3),
        ("incomplete", V::V1_3),
        ("incomplete_first_party_only", V::V1_3),
        ("incomplete_third_party_only", V::V1_3),
        ("unknown", V::V1_3),
        ("not_specified", V::V1_3),
        ("incomplete_first_party_proprietary_only", V::V1_5),
        ("incomplete_first_party_opensource_only", V::V1_5),
        ("incomplete_third_party_proprietary_only", V::V1_5),
        ("incomplete_third_party_opensource_only", V::V1_5),
    ],
    instead: Some("incomplete"),
};

static SERVICE: Object = object(&[
    must("name", Text),
    m("bom-ref", Ref),
    m("provider", Shape::Object(&ENTITY)),
    m("group", Text),
    m("version", Text),
    m("description", Text),
    m("endpoints", List(&Text, Inside(&["endpoint"]))),
    m("authenticated", Flag),
    m("x-trust-boundary", Flag),
    m("data", List(&Shape::Object(&SERVICE_DATA), Inside(&["classification", "dataflow"]))),
    m("licenses", LICENSES),
    m("externalReferences", REFERENCES),
    m("services", services()),
    m("properties", PROPERTIES),
    since(V::V1_4, "releaseNotes", Any),
    since(V::V1_4, "signature", Any),
    since(V::V1_5, "trustZone", Text),
    since(V::V1_6, "tags", List(&Text, Inside(&["tag"]))),
    since(V::V1_7, "patentAssertions", List(&Any, Inside(&[]))),
]);

static SERVICE_DATA: Object = Object {
    members: &[
        must("flow", Word(&FLOWS)),
        must("classification", Text),
        since(V::V1_5, "name", Text),
        since(V::V1_5, "description", Text),
        since(V::V1_5, "governance", Any),
        since(V::V1_5, "source", URLS),
        since(V::V1_5, "destination", URLS),
    ],
    is_open: false,
    text: "classification",
    rule: rules::none,
};

static FLOWS: Words = Words {
    words: &[("inbound", V::V1_3), ("outbound", V::V1_3), ("bi-directional", V::V1_3), ("unknown", V::V1_3)],
    instead: None,
};

static PROPERTY: Object = Object {
    members: &[m("name", Text), m("value", Text)],
    is_open: false,
    text: "value",
    rule: rules::property,
};

static CITATION: Object = Object {
    members: &[
        since(V::V1_7, "bom-ref", Ref),
        since(V::V1_7, "pointers", List(&Text, Inside(&["pointer"]))),
        since(V::V1_7, "expressions", List(&Text, Inside(&["expression"]))),
        must("timestamp", Time),
        since(V::V1_7, "attributedTo", Ref),
        since(V::V1_7, "process", Ref),
        since(V::V1_7, "note", Text),
        since(V::V1_7, "signature", Any),
    ],
    is_open: false,
    text: "",
    rule: rules::citation,
};

static DEFINITIONS: Object = open(&[since(V::V1_7, "patents", Any)]);

static MODEL_CARD: Object = open(&[since(V::V1_5, "considerations", Shape::Object(&CONSIDERATIONS))]);

static CONSIDERATIONS: Object = open(&[since(V::V1_6, "environmentalConsiderations", Any)]);

static CRYPTO: Object = open(&[
    since(V::V1_6, "algorithmProperties", Shape::Object(&CRYPTO_ALGORITHM)),
    since(V::V1_6, "certificateProperties", Shape::Object(&CRYPTO_CERTIFICATE)),
    since(V::V1_6, "protocolProperties", Shape::Object(&CRYPTO_PROTOCOL)),
    since(V::V1_6, "relatedCryptoMaterialProperties", Shape::Object(&CRYPTO_MATERIAL)),
]);

static CRYPTO_ALGORITHM: Object =
    open(&[since(V::V1_7, "algorithmFamily", Any), since(V::V1_7, "ellipticCurve", Any)]);

static CRYPTO_CERTIFICATE: Object = open(&[
    since(V::V1_7, "activationDate", Any),
    since(V::V1_7, "certificateExtensions", Any),
    since(V::V1_7, "certificateFileExtension", Any),
    since(V::V1_7, "certificateState", Any),
    since(V::V1_7, "creationDate", Any),
    since(V::V1_7, "deactivationDate", Any),
    since(V::V1_7, "destructionDate", Any),
    since(V::V1_7, "fingerprint", Any),
    since(V::V1_7, "relatedCryptographicAssets", Any),
    since(V::V1_7, "revocationDate", Any),
    since(V::V1_7, "serialNumber", Any),
]);

static CRYPTO_PROTOCOL: Object = open(&[
    since(V::V1_6, "ikev2TransformTypes", Shape::Object(&IKEV2)),
    since(V::V1_6, "cipherSuites", List(&Shape::Object(&CIPHER_SUITE), Inside(&[]))),
    since(V::V1_7, "relatedCryptographicAssets", Any),
]);

static IKEV2: Object = open(&[
    since(V::V1_6, "encr", List(&Shape::RefOrObject, Inside(&[]))),
    since(V::V1_6, "prf", List(&Shape::RefOrObject, Inside(&[]))),
    since(V::V1_6, "integ", List(&Shape::RefOrObject, Inside(&[]))),
    since(V::V1_6, "ke", List(&Shape::RefOrObject, Inside(&[]))),
    since(V::V1_6, "auth", List(&Shape::RefOrObject, Inside(&[]))),
]);

static CIPHER_SUITE: Object =
    open(&[since(V::V1_7, "tlsGroups", Any), since(V::V1_7, "tlsSignatureSchemes", Any)]);

static CRYPTO_MATERIAL: Object =
    open(&[since(V::V1_7, "fingerprint", Any), since(V::V1_7, "relatedCryptographicAssets", Any)]);
