//! The licence that a Maven project declares
//! ([POM reference, "Licenses"](https://maven.apache.org/pom.html#Licenses): of several, whoever uses it may choose one), or a bundle
//! ([OSGi Core 8, §3.2.1.11](https://docs.osgi.org/specification/osgi.core/8.0.0/framework.module.html): addresses, names or SPDX expressions,
//! separated by commas).

use crate::java::Pom;
use crate::license::{Combine, License};

/// Licences by address first, which says exactly which one, and else by name.
pub(super) fn of_project(pom: &Pom) -> Option<License> {
    let one = |(name, url): &(Option<String>, Option<String>)| {
        let by_address = url.as_deref().and_then(by_address);
        by_address
            .or_else(|| name.as_deref().and_then(by_name))
            .or_else(|| url.as_deref().and_then(License::parse))
    };
    License::combine(pom.licenses.iter().filter_map(one), Combine::Or)
}

pub(super) fn of_bundle(text: &str) -> Option<License> {
    let parts = text.split(',').map(|part| part.split(';').next().unwrap_or(part).trim().trim_matches('"'));
    // `<<EXTERNAL>>` says that the licence is elsewhere.
    let parts = parts.filter(|part| !part.starts_with('<'));
    let one = |part: &str| by_address(part).or_else(|| by_name(part));
    License::combine(parts.filter_map(one), Combine::Or)
}

fn by_name(name: &str) -> Option<License> {
    let lower = name.trim().to_ascii_lowercase();
    let known = NAMES.iter().find(|(known, _)| *known == lower).map(|(_, id)| *id);
    License::parse(known.unwrap_or(name))
}

fn by_address(address: &str) -> Option<License> {
    let address = address.trim().to_ascii_lowercase();
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let rest = rest.strip_prefix("www.").unwrap_or(rest).trim_end_matches('/');
    let rest =
        [".txt", ".html", ".php", ".htm"].iter().find_map(|ending| rest.strip_suffix(ending)).unwrap_or(rest);
    let listed =
        rest.strip_prefix("spdx.org/licenses/").or_else(|| rest.strip_prefix("opensource.org/licenses/"));
    let id = ADDRESSES.iter().find(|(known, _)| *known == rest).map(|(_, id)| *id);
    let license = License::parse(id.or(listed)?)?;
    license.references().is_empty().then_some(license)
}

/// Names that projects on Maven Central use beside those that every ecosystem has, in lower case.
const NAMES: [(&str, &str); 14] = [
    ("the apache software license, version 2.0", "Apache-2.0"),
    ("the apache license, version 2.0", "Apache-2.0"),
    ("apache software license, version 2.0", "Apache-2.0"),
    ("apache license 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("eclipse public license - v 1.0", "EPL-1.0"),
    ("eclipse public license 1.0", "EPL-1.0"),
    ("eclipse public license - v 2.0", "EPL-2.0"),
    ("eclipse public license v2.0", "EPL-2.0"),
    ("eclipse public license v. 2.0", "EPL-2.0"),
    ("gnu lesser general public license v2.1", "LGPL-2.1-only"),
    ("cddl + gplv2 with classpath exception", "CDDL-1.1 OR GPL-2.0-only WITH Classpath-exception-2.0"),
    ("gpl2 w/ cpe", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ("public domain, per creative commons cc0", "CC0-1.0"),
];

/// Addresses that name one licence in one version, without scheme, `www.` and ending.
const ADDRESSES: [(&str, &str); 17] = [
    ("apache.org/licenses/license-2.0", "Apache-2.0"),
    ("apache.org/licenses/license-1.1", "Apache-1.1"),
    ("opensource.org/licenses/mit-license", "MIT"),
    ("opensource.org/licenses/apache2.0", "Apache-2.0"),
    ("opensource.org/license/mit", "MIT"),
    ("eclipse.org/legal/epl-v10", "EPL-1.0"),
    ("eclipse.org/legal/epl-2.0", "EPL-2.0"),
    ("eclipse.org/legal/epl-v20", "EPL-2.0"),
    ("eclipse.org/org/documents/epl-v10", "EPL-1.0"),
    ("eclipse.org/org/documents/epl-2.0/epl-2.0", "EPL-2.0"),
    ("eclipse.org/org/documents/edl-v10", "BSD-3-Clause"),
    ("gnu.org/licenses/old-licenses/lgpl-2.1", "LGPL-2.1-only"),
    ("gnu.org/software/classpath/license", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ("mozilla.org/mpl/2.0", "MPL-2.0"),
    ("mozilla.org/en-us/mpl/2.0", "MPL-2.0"),
    ("creativecommons.org/publicdomain/zero/1.0", "CC0-1.0"),
    ("unlicense.org", "Unlicense"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(license: Option<License>) -> String {
        license.unwrap().expression().to_owned()
    }

    #[test]
    fn an_address_says_more_than_a_name() {
        let licenses = vec![
            (Some("BSD".into()), Some("https://opensource.org/licenses/BSD-3-Clause".into())),
            (Some("The Apache Software License, Version 2.0".into()), None),
        ];
        let pom = Pom { licenses, ..Pom::default() };
        assert_eq!(expression(of_project(&pom)), "Apache-2.0 OR BSD-3-Clause");
        assert_eq!(of_project(&Pom::default()), None);
    }

    #[test]
    fn a_bundle_has_addresses_or_names() {
        let text = "http://www.apache.org/licenses/LICENSE-2.0.txt;description=x, MIT";
        assert_eq!(expression(of_bundle(text)), "Apache-2.0 OR MIT");
        assert_eq!(of_bundle("<<EXTERNAL>>"), None);
    }

    #[test]
    fn known_names_and_addresses_stand_for_listed_licences() {
        for (name, id) in NAMES.iter().chain(&ADDRESSES) {
            assert!(License::parse(id).unwrap().references().is_empty(), "{name}");
        }
    }
}
