//! Licences from a Debian package's `copyright` file
//! ([machine-readable copyright files 1.0](https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/)).
//!
//! Every licence that the file names holds for some part of the source package, so all of them are joined with `AND`. Files in
//! free text say which texts in `/usr/share/common-licenses` apply; those are taken, with "any later version" as the file says.

use crate::license::{Combine, License};
use crate::stanza;

/// The licence of a package, by its `copyright` file.
pub(crate) fn license(text: &str) -> Option<License> {
    let is_machine_readable = text.lines().take(20).any(|line| line.starts_with("Format:"));
    if is_machine_readable { machine_readable(text) } else { free_text(text) }
}

fn machine_readable(text: &str) -> Option<License> {
    let stanzas = stanza::parse(text);
    let names = stanzas.iter().filter_map(|stanza| stanza.first_line("License"));
    License::combine(names.take(MOST_LICENSES).filter_map(synopsis), Combine::And)
}

/// A synopsis: names joined by "or" and "and", where a comma before the word makes it bind less.
fn synopsis(text: &str) -> Option<License> {
    for (separator, how) in
        [(", or ", Combine::Or), (", and ", Combine::And), (" or ", Combine::Or), (" and ", Combine::And)]
    {
        if let Some((first, rest)) = text.split_once(separator) {
            let parts = [synopsis(first), synopsis(rest)];
            return License::combine(parts.into_iter().flatten(), how);
        }
    }
    short_name(text.trim().trim_end_matches(','))
}

/// Debian's short names (format 1.0, "Short name") differ from SPDX's in the GNU family and a few others.
fn short_name(name: &str) -> Option<License> {
    License::parse(&gnu_name(name).unwrap_or_else(|| other_name(name)))
}

fn gnu_name(name: &str) -> Option<String> {
    let family = ["LGPL-", "AGPL-", "GPL-", "GFDL-NIV-", "GFDL-"]
        .into_iter()
        .find(|family| name.starts_with(family))?;
    let number = name.strip_prefix(family)?;
    let (number, later) = match number.strip_suffix('+') {
        Some(number) => (number, true),
        None => (number, false),
    };
    if !number.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let number = if number.contains('.') { number.to_owned() } else { format!("{number}.0") };
    let suffix = if later { "-or-later" } else { "-only" };
    Some(match family {
        // "No invariant sections".
        "GFDL-NIV-" => format!("GFDL-{number}-no-invariants{suffix}"),
        _ => format!("{family}{number}{suffix}"),
    })
}

fn other_name(name: &str) -> String {
    let known = match name.to_ascii_lowercase().as_str() {
        "apache-2" => "Apache-2.0",
        "artistic-2" => "Artistic-2.0",
        "bsd-2-clause" => "BSD-2-Clause",
        "bsd-3-clause" => "BSD-3-Clause",
        "bsd-4-clause" => "BSD-4-Clause",
        "cc0" => "CC0-1.0",
        "expat" => "MIT",
        "isc" => "ISC",
        "mit/x11" => "MIT",
        "openssl" => "OpenSSL",
        "psf-2" | "python-2" => "PSF-2.0",
        "x11" => "X11",
        "zlib" => "Zlib",
        _ => name,
    };
    known.to_owned()
}

fn free_text(text: &str) -> Option<License> {
    let later = text.split_whitespace().collect::<Vec<_>>().join(" ").contains("any later version");
    let names = text.split(COMMON).skip(1).map(|rest| {
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().trim_end_matches(['.', '-'])
    });
    // A bare "GPL" is a link to the newest version and says nothing about this package.
    let versioned = names.filter(|name| name.contains(|c: char| c.is_ascii_digit()));
    let licenses =
        versioned.take(MOST_LICENSES).filter_map(|name| match later && !name.starts_with(['A', 'C', 'M']) {
            true => short_name(&format!("{name}+")),
            false => short_name(name),
        });
    License::combine(licenses, Combine::And)
}

const COMMON: &str = "/usr/share/common-licenses/";
/// More licences than this are not read from one file.
const MOST_LICENSES: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(text: &str) -> Option<String> {
        license(text).map(|license| license.expression().to_owned())
    }

    #[test]
    fn every_licence_of_a_machine_readable_file_is_named_once() {
        let text = "Format: x\n\nFiles: *\nLicense: GPL-2+\n text\n\nFiles: a\nLicense: Expat or GPL-2+\n\nLicense: Expat\n body\n";
        assert_eq!(expression(text).unwrap(), "GPL-2.0-or-later AND (GPL-2.0-or-later OR MIT) AND MIT");
    }

    #[test]
    fn a_comma_binds_less_than_a_word() {
        let text = "Format: x\n\nLicense: GPL-1+ or LGPL-2.1, and BSD-3-clause\n";
        assert_eq!(expression(text).unwrap(), "BSD-3-Clause AND (GPL-1.0-or-later OR LGPL-2.1-only)");
    }

    #[test]
    fn names_outside_the_spdx_list_become_references() {
        let text = "Format: x\n\nLicense: public-domain\n";
        assert_eq!(expression(text).unwrap(), "LicenseRef-public-domain");
        let free = "Format: x\n\nLicense: GFDL-NIV-1.3+\n";
        assert_eq!(expression(free).unwrap(), "GFDL-1.3-no-invariants-or-later");
    }

    #[test]
    fn free_text_names_common_licences() {
        let text = "either version 2, or (at your option)\n any later version.\n see `/usr/share/common-licenses/GPL-2'.";
        assert_eq!(expression(text).unwrap(), "GPL-2.0-or-later");
        assert_eq!(expression("see /usr/share/common-licenses/Apache-2.0.\n").unwrap(), "Apache-2.0");
        assert_eq!(expression("see /usr/share/common-licenses/GPL\n"), None);
        assert_eq!(expression("All rights reserved."), None);
    }
}
