//! The main section of a jar's manifest
//! ([JAR File Specification, Java SE 21](https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html#jar-manifest)), with the attributes of OSGi
//! ([Core 8, §3.2.1](https://docs.osgi.org/specification/osgi.core/8.0.0/framework.module.html)) and of Jenkins plugins.

use super::Coordinates;

/// What is kept of a manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct JarManifest {
    /// `Bundle-SymbolicName`, without directives.
    pub(crate) bundle: Option<String>,
    /// `Bundle-Version`.
    pub(crate) bundle_version: Option<String>,
    /// `Bundle-License`: addresses, names or SPDX expressions, separated by commas.
    pub(crate) license: Option<String>,
    /// `Implementation-Title`.
    pub(crate) title: Option<String>,
    /// `Implementation-Version`.
    pub(crate) version: Option<String>,
    /// `Implementation-Vendor`, or else `Bundle-Vendor`.
    pub(crate) vendor: Option<String>,
    /// The coordinates of a Jenkins plugin, whose build writes all three: `Group-Id`, `Short-Name` and `Plugin-Version`
    /// ([maven-hpi-plugin 3, `AbstractJenkinsManifestMojo`](https://github.com/jenkinsci/maven-hpi-plugin)).
    pub(crate) plugin: Option<Coordinates>,
}

impl JarManifest {
    pub(super) fn parse(text: &str) -> Self {
        let attributes = main_section(text);
        let value = |name: &str| {
            let found = attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            let value = found.1.trim();
            (!value.is_empty() && !value.contains("${")).then(|| value.to_owned())
        };
        let before_directives = |text: String| text.split(';').next().map(|name| name.trim().to_owned());
        let plugin = || {
            Coordinates::new(&value("Group-Id")?, &value("Short-Name")?, value("Plugin-Version").as_deref())
        };
        Self {
            bundle: value("Bundle-SymbolicName").and_then(before_directives),
            bundle_version: value("Bundle-Version"),
            license: value("Bundle-License"),
            title: value("Implementation-Title"),
            version: value("Implementation-Version"),
            vendor: value("Implementation-Vendor").or_else(|| value("Bundle-Vendor")),
            plugin: plugin(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let texts =
            [&self.bundle, &self.bundle_version, &self.license, &self.title, &self.version, &self.vendor];
        let plugin = self.plugin.as_ref().map_or(0, Coordinates::bytes);
        texts.into_iter().flatten().map(String::len).sum::<usize>() + plugin
    }
}

/// Lines are folded: one that starts with a space goes on from the line before. The section ends with an empty line.
fn main_section(text: &str) -> Vec<(&str, String)> {
    let mut attributes: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        if line.is_empty() {
            break;
        }
        match (line.strip_prefix(' '), line.split_once(':')) {
            (Some(more), _) => {
                if let Some((_, value)) = attributes.last_mut() {
                    value.push_str(more);
                }
            }
            (None, Some((key, value))) => attributes.push((key, value.trim_start().to_owned())),
            (None, None) => {}
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_main_section_counts_and_lines_are_unfolded() {
        let text = "Manifest-Version: 1.0\r\nbundle-symbolicname: org.a.\r\n b;singleton:=true\r\nBundle-Version: 1.2\r\n\r\nName: x\r\n\
                    Implementation-Title: other\r\n";
        let found = JarManifest::parse(text);
        assert_eq!(found.bundle.as_deref(), Some("org.a.b"));
        assert_eq!(found.bundle_version.as_deref(), Some("1.2"));
        assert_eq!(found.title, None);
    }

    #[test]
    fn a_jenkins_plugin_names_its_coordinates() {
        let text = "Group-Id: org.jenkins-ci.plugins\nShort-Name: git\nPlugin-Version: 5.2.1\nImplementation-Version: ${v}\n";
        let found = JarManifest::parse(text);
        assert_eq!(
            found.plugin.unwrap(),
            Coordinates::new("org.jenkins-ci.plugins", "git", Some("5.2.1")).unwrap()
        );
        assert_eq!(found.version, None);
        assert_eq!(JarManifest::parse("Short-Name: git\nPlugin-Version: 1").plugin, None);
    }
}
