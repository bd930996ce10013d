//! `Podfile.lock` of `CocoaPods` ([guide, "What is Podfile.lock?"](https://guides.cocoapods.org/using/using-cocoapods.html#what-is-podfilelock)).

use serde_json::Value;

use super::{LockFile, Locked, Origin, list, yaml};
use crate::{Ecosystem, path};

pub(in crate::catalog) const PODFILE: LockFile = LockFile {
    ecosystem: Ecosystem::Cocoapods,
    format: "Podfile.lock",
    is_one: |path| path::split(path).1 == "Podfile.lock",
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = yaml(text)?;
    let pods = list(&document, "PODS").iter();
    let external = document.get("EXTERNAL SOURCES").unwrap_or(&Value::Null);
    document.as_object()?;
    Some(pods.filter_map(|pod| package(pod, external)).collect())
}

/// `Name (1.0)`, or that as the key of a list of what it needs. `Name/Part` is a part of `Name`.
fn package(pod: &Value, external: &Value) -> Option<Locked> {
    let (head, needs) = match pod {
        Value::String(head) => (head.as_str(), None),
        Value::Object(entry) => entry.iter().next().map(|(head, needs)| (head.as_str(), needs.as_array()))?,
        _ => return None,
    };
    let (full, version) = name_and_version(head);
    let (name, subpath) =
        full.split_once('/').map_or((full, None), |(name, part)| (name, Some(part.to_owned())));
    let is_local = external.get(name).is_some_and(|source| source.get(":path").is_some());
    let needs = needs.into_iter().flatten().filter_map(Value::as_str).map(|need| name_and_version(need).0);
    Some(Locked {
        subpath,
        origin: if is_local { Origin::Local } else { Origin::Registry },
        needs: needs.map(|need| need.split('/').next().unwrap_or(need).to_owned()).collect(),
        ..Locked::new(name, version)
    })
}

fn name_and_version(text: &str) -> (&str, &str) {
    let (name, rest) = text.split_once(" (").unwrap_or((text, ""));
    (name, rest.trim_end_matches(')'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_pods_and_local_pods_are_told_apart() {
        let text = "PODS:\n  - GoogleUtilities/NSData+zlib (7.5.2):\n    - Own\n  - Own (0.1)\n\
            EXTERNAL SOURCES:\n  Own:\n    :path: \"../Own\"\nCOCOAPODS: 1.11.2\n";
        let found = parse(text).unwrap();
        assert_eq!(found[0].purl("cocoapods").unwrap(), "pkg:cocoapods/GoogleUtilities@7.5.2#NSData%2Bzlib");
        assert_eq!(found[0].needs, ["Own"]);
        assert_eq!(found[1].origin, Origin::Local);
    }
}
