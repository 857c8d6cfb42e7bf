//! The questions' pictures, put into the page as `data:` addresses as long as there is room.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use geneverse_data::picture::media_type;

use super::Picture;

/// Finds pictures, and keeps each once.
#[derive(Debug)]
pub(super) struct Pictures {
    /// Bytes that may still be taken in.
    left: u64,
    limit: u64,
    known: HashMap<PathBuf, Result<usize, String>>,
    /// `data:` addresses.
    pub(super) data: Vec<String>,
}

impl Pictures {
    /// At most `limit` bytes of pictures.
    pub(super) fn new(limit: u64) -> Self {
        Self { left: limit, limit, known: HashMap::new(), data: Vec::new() }
    }

    /// The picture that a file in `folder` names, looked for as it is named, and below that folder, the folders around it,
    /// and `near`.
    pub(super) fn take(&mut self, path: &str, folder: &Path, near: &[PathBuf]) -> Picture {
        let around = folder.ancestors().map(Path::to_path_buf).chain(near.iter().cloned());
        let mut places = around.map(|folder| folder.join(path)).chain([PathBuf::from(path)]);
        let shown = match places.find(|place| place.is_file()) {
            None => Err("the file is not there any more".to_owned()),
            Some(place) => match self.known.get(&place) {
                Some(known) => known.clone(),
                None => {
                    let shown = self.read(&place);
                    self.known.insert(place, shown.clone());
                    shown
                }
            },
        };
        Picture { path: path.to_owned(), shown }
    }

    fn read(&mut self, place: &Path) -> Result<usize, String> {
        let size = fs::metadata(place).map_err(|e| format!("it cannot be read: {e}"))?.len();
        if size > self.left {
            return Err(format!("pictures beyond {} MiB are not put into the page", self.limit >> 20));
        }
        let bytes = fs::read(place).map_err(|e| format!("it cannot be read: {e}"))?;
        let Some(kind) = media_type(&bytes) else {
            return Err("it is not a PNG, JPEG, GIF or WebP file".to_owned());
        };
        self.left -= size;
        self.data.push(format!("data:{kind};base64,{}", BASE64_STANDARD.encode(&bytes)));
        Ok(self.data.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_taken_in_once_by_their_bytes_and_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("runs/one");
        fs::create_dir_all(&run).unwrap();
        fs::create_dir(folder.path().join("pictures")).unwrap();
        let put =
            |name: &str, bytes: &[u8]| fs::write(folder.path().join("pictures").join(name), bytes).unwrap();
        put("a.png", b"\x89PNG....");
        put("b.svg", b"<svg onload='alert(1)'>");
        put("c.jpg", &[&[0xff, 0xd8, 0xff][..], &[0; 100]].concat());
        let mut pictures = Pictures::new(50);
        let mut take = |path: &str| pictures.take(path, &run, &[]).shown;
        assert_eq!((take("pictures/a.png"), take("pictures/a.png")), (Ok(0), Ok(0)));
        assert!(take("pictures/b.svg").unwrap_err().contains("not a PNG"));
        assert!(take("pictures/c.jpg").unwrap_err().contains("beyond 0 MiB"));
        assert!(take("pictures/d.png").unwrap_err().contains("not there"));
        assert_eq!(pictures.data, ["data:image/png;base64,iVBORy4uLi4="]);
    }
}
