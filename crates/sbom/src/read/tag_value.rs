//! SPDX 2.2 and 2.3 as tags with values ([SPDX 2.3, §4.4](https://spdx.github.io/spdx-spec/v2.3/conformance/#44-standard-data-format-requirements)),
//! in the form of SPDX's JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ReadError;

/// Whether the bytes look like tags with values: a line says which version of SPDX it is.
pub(super) fn is_tag_value(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| line.trim_ascii_start().starts_with(b"SPDXVersion:"))
}

/// The document, and the tags that were left out, counted.
pub(super) fn to_json(bytes: &[u8]) -> Result<(Value, BTreeMap<String, usize>), ReadError> {
    let text = String::from_utf8_lossy(bytes);
    let mut builder = Builder::default();
    for (tag, value) in tags(&text)? {
        builder.tag(tag, &value);
    }
    Ok((builder.finish(), builder.lost))
}

/// The tags with their values. A value that starts with `<text>` goes on to `</text>`, over lines.
fn tags(text: &str) -> Result<Vec<(&str, String)>, ReadError> {
    let mut tags = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let (tag, value) = line.split_once(':').ok_or(ReadError::TagValue { line: number })?;
        let mut value = value.trim().to_owned();
        if value.starts_with("<text>") {
            while !value.contains("</text>") {
                let (line, _) = lines.next().ok_or(ReadError::TagValue { line: number })?;
                value.push('\n');
                value.push_str(line);
            }
            let inner = value.strip_prefix("<text>").unwrap_or(&value);
            value = inner.split("</text>").next().unwrap_or_default().to_owned();
        }
        tags.push((tag.trim(), value));
    }
    Ok(tags)
}

/// What the tags that follow belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    #[default]
    Document,
    Package,
    File,
    License,
    Annotation,
    Snippet,
    /// What is not read: reviews.
    Review,
}

#[derive(Default)]
struct Builder {
    part: Part,
    document: Map<String, Value>,
    creators: Vec<Value>,
    creation: Map<String, Value>,
    packages: Vec<Value>,
    files: Vec<Value>,
    licenses: Vec<Value>,
    annotations: Vec<Value>,
    snippets: Vec<Value>,
    relationships: Vec<Value>,
    lost: BTreeMap<String, usize>,
}

impl Builder {
    fn tag(&mut self, tag: &str, value: &str) {
        if let Some(part) = starts(tag) {
            self.part = part;
            if let Some(list) = self.list() {
                list.push(json!({}));
            }
        }
        if !self.of_document(tag, value) && !self.of_part(tag, value) {
            *self.lost.entry(tag.chars().take(64).collect()).or_default() += 1;
        }
    }

    /// The list that the current part is the last item of.
    fn list(&mut self) -> Option<&mut Vec<Value>> {
        match self.part {
            Part::Package => Some(&mut self.packages),
            Part::File => Some(&mut self.files),
            Part::License => Some(&mut self.licenses),
            Part::Annotation => Some(&mut self.annotations),
            Part::Snippet => Some(&mut self.snippets),
            Part::Document | Part::Review => None,
        }
    }

    fn of_document(&mut self, tag: &str, value: &str) -> bool {
        let member = match tag {
            "SPDXVersion" => "spdxVersion",
            "DataLicense" => "dataLicense",
            "DocumentName" => "name",
            "DocumentNamespace" => "documentNamespace",
            "DocumentComment" => "comment",
            "SPDXID" if self.part == Part::Document => "SPDXID",
            "Creator" => {
                self.creators.push(value.into());
                return true;
            }
            "Created" => {
                self.creation.insert("created".to_owned(), value.into());
                return true;
            }
            "LicenseListVersion" => {
                self.creation.insert("licenseListVersion".to_owned(), value.into());
                return true;
            }
            "CreatorComment" => {
                self.creation.insert("comment".to_owned(), value.into());
                return true;
            }
            "Relationship" => return self.relationship(value),
            "RelationshipComment" => {
                let last = self.relationships.last_mut().and_then(Value::as_object_mut);
                return last.map(|members| members.insert("comment".to_owned(), value.into())).is_some();
            }
            "ExternalDocumentRef" => return self.external_document(value),
            _ => return false,
        };
        self.document.insert(member.to_owned(), value.into());
        true
    }

    fn relationship(&mut self, value: &str) -> bool {
        let mut words = value.split_whitespace();
        let (Some(from), Some(kind), Some(to)) = (words.next(), words.next(), words.next()) else {
            return false;
        };
        self.relationships.push(json!({
            "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to,
        }));
        true
    }

    /// `DocumentRef-… namespace checksum`.
    fn external_document(&mut self, value: &str) -> bool {
        let mut words = value.splitn(3, ' ');
        let (Some(id), Some(namespace), Some(sum)) = (words.next(), words.next(), words.next()) else {
            return false;
        };
        let list = self.document.entry("externalDocumentRefs").or_insert_with(|| json!([]));
        if let (Some(list), Some(checksum)) = (list.as_array_mut(), checksum(sum)) {
            list.push(json!({ "externalDocumentId": id, "spdxDocument": namespace, "checksum": checksum }));
        }
        true
    }

    fn of_part(&mut self, tag: &str, value: &str) -> bool {
        let known = match self.part {
            Part::Package if tag == "ExternalRefComment" => return self.external_ref_comment(value),
            Part::Package => package_member,
            Part::File => file_member,
            Part::License => license_member,
            Part::Annotation => annotation_member,
            Part::Snippet => snippet_member,
            Part::Document | Part::Review => return false,
        };
        let Some(list) = self.list() else { return false };
        let Some(members) = list.last_mut().and_then(Value::as_object_mut) else { return false };
        let Some(member) = known(tag) else { return false };
        let value = match (member, tag) {
            ("checksums", _) => checksum(value),
            ("externalRefs", "ExternalRef") => external_ref(value),
            ("filesAnalyzed", _) => Some((value != "false").into()),
            ("packageVerificationCode", _) => verification_code(value),
            _ => Some(value.into()),
        };
        let Some(value) = value else { return false };
        match member {
            "checksums"
            | "externalRefs"
            | "fileTypes"
            | "seeAlsos"
            | "licenseInfoInFiles"
            | "licenseInfoFromFiles"
            | "fileContributors"
            | "attributionTexts" => {
                let list = members.entry(member).or_insert_with(|| json!([]));
                list.as_array_mut().into_iter().for_each(|list| list.push(value.clone()));
            }
            _ => {
                members.insert(member.to_owned(), value);
            }
        }
        true
    }

    /// A comment on the external reference before it.
    fn external_ref_comment(&mut self, value: &str) -> bool {
        let package = self.packages.last_mut().and_then(|package| package.get_mut("externalRefs"));
        let last = package.and_then(Value::as_array_mut).and_then(|list| list.last_mut());
        let members = last.and_then(Value::as_object_mut);
        members.map(|members| members.insert("comment".to_owned(), value.into())).is_some()
    }

    fn finish(&mut self) -> Value {
        let mut document = std::mem::take(&mut self.document);
        let mut creation = std::mem::take(&mut self.creation);
        if !self.creators.is_empty() {
            creation.insert("creators".to_owned(), std::mem::take(&mut self.creators).into());
        }
        if !creation.is_empty() {
            document.insert("creationInfo".to_owned(), Value::Object(creation));
        }
        self.annotate(&mut document);
        let lists = [
            ("packages", &mut self.packages),
            ("files", &mut self.files),
            ("snippets", &mut self.snippets),
            ("relationships", &mut self.relationships),
            ("hasExtractedLicensingInfos", &mut self.licenses),
        ];
        for (member, list) in lists {
            if !list.is_empty() {
                document.insert(member.to_owned(), std::mem::take(list).into());
            }
        }
        Value::Object(document)
    }

    /// Puts each annotation where JSON has it: at the element that it names.
    fn annotate(&mut self, document: &mut Map<String, Value>) {
        for mut annotation in std::mem::take(&mut self.annotations) {
            let about = annotation.as_object_mut().and_then(|members| members.remove("SPDXREF"));
            let elements = self.packages.iter_mut().chain(&mut self.files);
            let mut named = elements.filter(|element| element.get("SPDXID") == about.as_ref());
            let members = named.next().and_then(Value::as_object_mut).unwrap_or(document);
            let list = members.entry("annotations").or_insert_with(|| json!([]));
            list.as_array_mut().into_iter().for_each(|list| list.push(annotation.clone()));
        }
    }
}

/// The part that starts with this tag.
fn starts(tag: &str) -> Option<Part> {
    match tag {
        "PackageName" => Some(Part::Package),
        "FileName" => Some(Part::File),
        "LicenseID" => Some(Part::License),
        "Annotator" => Some(Part::Annotation),
        "SnippetSPDXID" => Some(Part::Snippet),
        "Reviewer" => Some(Part::Review),
        _ => None,
    }
}

fn package_member(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "PackageName" => "name",
        "SPDXID" => "SPDXID",
        "PackageVersion" => "versionInfo",
        "PackageFileName" => "packageFileName",
        "PackageSupplier" => "supplier",
        "PackageOriginator" => "originator",
        "PackageDownloadLocation" => "downloadLocation",
        "FilesAnalyzed" => "filesAnalyzed",
        "PackageVerificationCode" => "packageVerificationCode",
        "PackageChecksum" => "checksums",
        "PackageHomePage" => "homepage",
        "PackageSourceInfo" => "sourceInfo",
        "PackageLicenseConcluded" => "licenseConcluded",
        "PackageLicenseInfoFromFiles" => "licenseInfoFromFiles",
        "PackageLicenseDeclared" => "licenseDeclared",
        "PackageLicenseComments" => "licenseComments",
        "PackageCopyrightText" => "copyrightText",
        "PackageSummary" => "summary",
        "PackageDescription" => "description",
        "PackageComment" => "comment",
        "PackageAttributionText" => "attributionTexts",
        "ExternalRef" => "externalRefs",
        "PrimaryPackagePurpose" => "primaryPackagePurpose",
        "ReleaseDate" => "releaseDate",
        "BuiltDate" => "builtDate",
        "ValidUntilDate" => "validUntilDate",
        _ => return None,
    })
}

fn file_member(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "FileName" => "fileName",
        "SPDXID" => "SPDXID",
        "FileType" => "fileTypes",
        "FileChecksum" => "checksums",
        "LicenseConcluded" => "licenseConcluded",
        "LicenseInfoInFile" => "licenseInfoInFiles",
        "LicenseComments" => "licenseComments",
        "FileCopyrightText" => "copyrightText",
        "FileComment" => "comment",
        "FileNotice" => "noticeText",
        "FileContributor" => "fileContributors",
        "FileAttributionText" => "attributionTexts",
        _ => return None,
    })
}

fn license_member(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "LicenseID" => "licenseId",
        "ExtractedText" => "extractedText",
        "LicenseName" => "name",
        "LicenseCrossReference" => "seeAlsos",
        "LicenseComment" => "comment",
        _ => return None,
    })
}

fn annotation_member(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "Annotator" => "annotator",
        "AnnotationDate" => "annotationDate",
        "AnnotationType" => "annotationType",
        "AnnotationComment" => "comment",
        "SPDXREF" => "SPDXREF",
        _ => return None,
    })
}

/// Of a snippet its name only, so that relationships find it.
fn snippet_member(tag: &str) -> Option<&'static str> {
    (tag == "SnippetSPDXID").then_some("SPDXID")
}

/// `SHA1: 85ed…`.
fn checksum(value: &str) -> Option<Value> {
    let (algorithm, hex) = value.split_once(':')?;
    Some(json!({ "algorithm": algorithm.trim(), "checksumValue": hex.trim() }))
}

/// `SECURITY cpe23Type cpe:2.3:…`.
fn external_ref(value: &str) -> Option<Value> {
    let mut words = value.split_whitespace();
    let (category, kind, locator) = (words.next()?, words.next()?, words.next()?);
    Some(json!({ "referenceCategory": category, "referenceType": kind, "referenceLocator": locator }))
}

/// `d6a7… (excludes: ./package.spdx)`.
fn verification_code(value: &str) -> Option<Value> {
    let (code, rest) = value.split_once('(').unwrap_or((value, ""));
    let rest = rest.trim().trim_end_matches(')').trim();
    let excluded =
        Some(rest.strip_prefix("excludes:").unwrap_or(rest).trim()).filter(|files| !files.is_empty());
    let mut members = json!({ "packageVerificationCodeValue": code.trim() });
    if let (Some(members), Some(excluded)) = (members.as_object_mut(), excluded) {
        let files: Vec<&str> = excluded.split(',').map(str::trim).collect();
        members.insert("packageVerificationCodeExcludedFiles".to_owned(), json!(files));
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_over_lines_are_read() {
        let tags = tags("A: 1\n# no\n\nB: <text>x\ny</text>\nC:2").unwrap();
        assert_eq!(tags, [("A", "1".to_owned()), ("B", "x\ny".to_owned()), ("C", "2".to_owned())]);
    }

    #[test]
    fn a_line_without_a_tag_is_refused_with_its_number() {
        assert!(matches!(tags("A: 1\nnothing"), Err(ReadError::TagValue { line: 2 })));
        assert!(matches!(tags("A: <text>x\n"), Err(ReadError::TagValue { line: 1 })));
    }

    #[test]
    fn odd_tags_of_packages_are_read() {
        let text = "SPDXVersion: SPDX-2.3\nPackageName: a\nPackageVerificationCode: d6a7(./package.spdx)\n\
                    ExternalRef: OTHER x y/z\nExternalRefComment: c\nPackageChecksum: SHA1: 00\nFilesAnalyzed: false\n";
        let (document, lost) = to_json(text.as_bytes()).unwrap();
        let package = &document["packages"][0];
        let code = json!({ "packageVerificationCodeValue": "d6a7",
            "packageVerificationCodeExcludedFiles": ["./package.spdx"] });
        assert_eq!(package["packageVerificationCode"], code);
        assert_eq!(package["externalRefs"][0]["comment"], "c");
        assert_eq!(package["checksums"][0]["checksumValue"], "00");
        assert_eq!(package["filesAnalyzed"], false);
        assert_eq!(lost, BTreeMap::new());
    }

    #[test]
    fn annotations_go_to_the_elements_that_they_name() {
        let text = "SPDXVersion: SPDX-2.3\nPackageName: a\nSPDXID: SPDXRef-a\nAnnotator: Tool: x\nSPDXREF: SPDXRef-a\n\
                    AnnotationComment: c\nSnippetSPDXID: SPDXRef-s\nSnippetName: n\n";
        let (document, lost) = to_json(text.as_bytes()).unwrap();
        assert_eq!(document["packages"][0]["annotations"][0]["comment"], "c");
        assert_eq!(document["snippets"][0]["SPDXID"], "SPDXRef-s");
        assert_eq!(lost, BTreeMap::from([("SnippetName".to_owned(), 1)]));
    }
}
