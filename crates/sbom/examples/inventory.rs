//! Writes the inventory of an OCI image layout or a directory:
//! `inventory oci:DIR|dir:DIR FORMAT [SUPPLIER] > FILE`, where FORMAT is `json` or a name such as `cyclonedx-json@1.7`.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use touchmark_oci::{Digest, ImageConfig, ImageIndex, ImageManifest, ImageName, Limits as OciLimits};
use touchmark_sbom::{
    Compression, DirectoryEntry, DirectoryEntryKind, DocumentOptions, Format, ImageSubject, Inventory,
    Limits, Party, ScanError, Subject, json, scan_directory, scan_layer,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, format, supplier @ ..] = arguments.as_slice() else {
        return Err("usage: inventory oci:DIR|dir:DIR FORMAT".into());
    };
    let inventory = match source.split_once(':') {
        Some(("oci", path)) => image(Path::new(path))?,
        Some(("dir", path)) => directory(Path::new(path))?,
        _ => return Err("the source starts with oci: or dir:".into()),
    };
    let mut options = DocumentOptions::default();
    options.supplier = supplier.first().cloned().map(Party::Organization);
    let document = match format.as_str() {
        "json" => json::to_json(&inventory, &options),
        name => name.parse::<Format>()?.write(&inventory, &options),
    };
    io::stdout().write_all(&document)?;
    Ok(())
}

fn image(path: &Path) -> Result<Inventory, Box<dyn Error>> {
    let limits = OciLimits::default();
    let blob = |digest: &Digest| path.join("blobs").join(digest.algorithm().name()).join(digest.hex());
    let index = serde_json::from_slice::<ImageIndex>(&fs::read(path.join("index.json"))?)?;
    let descriptor = index.manifests.first().ok_or("no manifest in the index")?;
    let manifest = serde_json::from_slice::<ImageManifest>(&fs::read(blob(&descriptor.digest))?)?;
    let config = ImageConfig::parse(&fs::read(blob(&manifest.config.digest))?, &limits)?;
    let mut scans = Vec::new();
    for (layer, diff_id) in manifest.layers.iter().zip(&config.rootfs.diff_ids) {
        let compression = Compression::of_media_type(&layer.media_type).ok_or("no layer")?;
        let file = File::open(blob(&layer.digest))?;
        scans.push(scan_layer(file, compression, Some(diff_id), &Limits::default())?);
    }
    let name = ImageName::Layout(path.display().to_string());
    let subject = ImageSubject::new(&name, descriptor.digest.clone()).with_created(config.created);
    Ok(Inventory::from_layers(Subject::Image(subject), scans, &Limits::default()))
}

fn directory(top: &Path) -> Result<Inventory, ScanError> {
    let mut entries = Vec::new();
    walk(top, "", &mut entries);
    let scan = scan_directory(entries, &Limits::default())?;
    let name = top.file_name().map_or_else(|| "directory".into(), |name| name.to_string_lossy().into_owned());
    Ok(Inventory::from_directory(Subject::Directory { name }, scan, &Limits::default()))
}

fn walk(top: &Path, below: &str, entries: &mut Vec<DirectoryEntry<'static>>) {
    let Ok(listed) = fs::read_dir(top.join(below)) else {
        entries.push(DirectoryEntry { path: below.to_owned(), kind: DirectoryEntryKind::Unreadable });
        return;
    };
    let mut names: Vec<String> =
        listed.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in names {
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let full = top.join(&path);
        let kind = match fs::symlink_metadata(&full) {
            Err(_) => DirectoryEntryKind::Unreadable,
            Ok(metadata) if metadata.is_dir() => DirectoryEntryKind::Directory,
            Ok(metadata) if metadata.is_symlink() => DirectoryEntryKind::Symlink {
                target: fs::read_link(&full)
                    .map(|target| target.to_string_lossy().into_owned())
                    .unwrap_or_default(),
            },
            Ok(metadata) if metadata.is_file() => DirectoryEntryKind::File {
                size: metadata.len(),
                open: Box::new(move || Ok(Box::new(File::open(full)?) as Box<dyn Read>)),
            },
            Ok(_) => DirectoryEntryKind::Other,
        };
        let is_directory = matches!(kind, DirectoryEntryKind::Directory);
        entries.push(DirectoryEntry { path: path.clone(), kind });
        if is_directory {
            walk(top, &path, entries);
        }
    }
}
