//! Folders of pictures: resumed, added to, refused, and what is skipped.

use std::sync::atomic::AtomicUsize;

use super::record::{STAMPS, UNFINISHED};
use super::*;
use crate::progress::Silent;

/// A chain of alanines in PDB's columns, `bend` of which makes two structures differ.
fn pdb(residues: usize, bend: f32) -> String {
    let mut text = String::new();
    for i in 0..residues {
        let (x, y) = (3.8 * i as f32, bend * (i * i) as f32);
        for (j, (atom, dx)) in [("N", -1.2), ("CA", 0.0), ("C", 1.2), ("O", 1.6)].into_iter().enumerate() {
            let (serial, number) = (i * 4 + j + 1, i + 1);
            text.push_str(&format!(
                "ATOM  {serial:5}  {atom:<3} ALA A{number:4}    {:8.3}{y:8.3}{:8.3}  1.00 90.00           {}\n",
                x + dx,
                0.3 * dx,
                &atom[..1]
            ));
        }
    }
    text + "END\n"
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(files: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { folder }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    fn run(&self, inputs: &[&str], settings: &Settings) -> Result<FolderReport, FileError> {
        self.run_until(inputs, settings, &|| false)
    }
    fn run_until(
        &self,
        inputs: &[&str],
        settings: &Settings,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<FolderReport, FileError> {
        let inputs: Vec<PathBuf> = inputs.iter().map(|input| self.path(input)).collect();
        let (out, reading) = (self.path("out"), ReadOptions::default());
        let folder = Folder { inputs: &inputs, out: &out, settings, reading: &reading };
        render_folder(&folder, stop, &Silent)
    }
    fn listing(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("out")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path("out").join(name)).unwrap()
    }
}

fn small() -> Settings {
    Settings { size: 64, ..Settings::default() }
}

#[test]
fn a_folder_is_drawn_and_what_is_not_is_listed() {
    let place = Place::new(&[
        ("in/b.pdb", pdb(9, 0.1)),
        ("in/a.ent", pdb(7, 0.2)),
        ("in/broken.cif", "this is no structure\n".to_owned()),
        ("in/notes.txt", "left alone".to_owned()),
    ]);
    let report = place.run(&["in"], &small()).unwrap();
    assert_eq!((report.pictures, report.drawn, report.skipped, report.stopped), (2, 2, 1, false));
    let expected = ["a.png", "b.png", "manifest.json", "pictures.jsonl", "skipped.jsonl", "stamps.json"];
    assert_eq!(place.listing(), expected);
    let lines = String::from_utf8(place.bytes(PICTURES)).unwrap();
    let drawn: Vec<Drawn> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        drawn.iter().map(|d| (d.picture.as_str(), d.residues)).collect::<Vec<_>>(),
        [("a.png", 7), ("b.png", 9)]
    );
    assert_eq!(drawn[0].view.len(), 18);
    let skipped = String::from_utf8(place.bytes(SKIPPED)).unwrap();
    assert!(skipped.contains("broken.cif") && skipped.lines().count() == 1, "{skipped}");

    // The same again draws nothing.
    let before = place.bytes("manifest.json");
    let again = place.run(&["in"], &small()).unwrap();
    assert_eq!((again.pictures, again.drawn, again.skipped), (2, 0, 1));
    assert_eq!(
        (place.bytes("manifest.json"), place.listing()),
        (before, expected.map(str::to_owned).to_vec())
    );
}

#[test]
fn more_files_are_added_and_nothing_is_drawn_over() {
    let place =
        Place::new(&[("in/a.pdb", pdb(6, 0.1)), ("more/b.pdb", pdb(8, 0.1)), ("other/a.pdb", pdb(9, 0.3))]);
    place.run(&["in"], &small()).unwrap();
    let first = place.bytes("a.png");
    let report = place.run(&["more"], &small()).unwrap();
    assert_eq!((report.pictures, report.drawn), (2, 1));
    assert_eq!(String::from_utf8(place.bytes(PICTURES)).unwrap().lines().count(), 2);

    let error = place.run(&["other"], &small()).unwrap_err().to_string();
    assert!(error.contains("a.png: was drawn of") && error.contains("choose another --out"), "{error}");
    assert_eq!(place.bytes("a.png"), first);
}

/// Sets a file's times back, so that they are believed; the time of its entry stays.
fn settle(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    let then = file.metadata().unwrap().modified().unwrap() - std::time::Duration::from_secs(60);
    file.set_modified(then).unwrap();
}

#[test]
fn a_structure_that_changed_is_drawn_again_whatever_its_size_and_time() {
    let place = Place::new(&[("in/a.pdb", pdb(6, 0.1)), ("in/b.pdb", pdb(6, 0.2))]);
    place.run(&["in"], &small()).unwrap();
    let first = place.bytes("a.png");
    // As many bytes, and the time of the file before.
    settle(&place.path("in/a.pdb"));
    let time = fs::metadata(place.path("in/a.pdb")).unwrap().modified().unwrap();
    fs::write(place.path("in/a.pdb"), pdb(6, 0.3)).unwrap();
    fs::File::options().write(true).open(place.path("in/a.pdb")).unwrap().set_modified(time).unwrap();
    let report = place.run(&["in"], &small()).unwrap();
    assert_eq!((report.pictures, report.drawn), (2, 1));
    assert!(place.bytes("a.png") != first);
    // A structure that is none any more has no picture any more.
    fs::write(place.path("in/a.pdb"), "nothing").unwrap();
    let report = place.run(&["in"], &small()).unwrap();
    assert_eq!((report.pictures, report.drawn, report.skipped), (1, 0, 1));
    assert!(!place.path("out/a.png").exists());
    // And is drawn where it is one again.
    fs::write(place.path("in/a.pdb"), pdb(6, 0.1)).unwrap();
    assert_eq!(place.run(&["in"], &small()).unwrap().drawn, 1);
    assert!(place.bytes("a.png") == first);
}

#[test]
fn an_unchanged_structure_is_known_without_being_read() {
    let place = Place::new(&[("in/a.pdb", pdb(6, 0.1)), ("in/b.pdb", pdb(6, 0.2))]);
    // What was written a moment ago has no stamp: a change within the same tick would not be seen.
    place.run(&["in"], &small()).unwrap();
    assert_eq!(String::from_utf8(place.bytes(STAMPS)).unwrap(), "{}\n");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    place.run(&["in"], &small()).unwrap();
    let stamps: BTreeMap<String, String> = serde_json::from_slice(&place.bytes(STAMPS)).unwrap();
    assert_eq!(stamps.keys().collect::<Vec<_>>(), ["a.png", "b.png"]);
    let size = fs::metadata(place.path("in/a.pdb")).unwrap().len();
    assert!(stamps["a.png"].starts_with(&format!("{size} ")), "{stamps:?}");

    // That the file is not read is seen where the record names other contents, which a reading would find out.
    let lines = String::from_utf8(place.bytes(PICTURES)).unwrap();
    let hash = |text: &str| serde_json::from_str::<Drawn>(text).unwrap().sha256;
    let (hash_of_a, none) = (hash(lines.lines().next().unwrap()), "0".repeat(64));
    fs::write(place.path("out/pictures.jsonl"), lines.replace(&hash_of_a, &none)).unwrap();
    assert_eq!(place.run(&["in"], &small()).unwrap().drawn, 0);
    // A new time is a reason to read.
    settle(&place.path("in/a.pdb"));
    assert_eq!(place.run(&["in"], &small()).unwrap().drawn, 1);
    // So is a picture that is not whole.
    fs::write(place.path("out/b.png"), b"half").unwrap();
    assert_eq!(place.run(&["in"], &small()).unwrap().drawn, 1);
}

#[test]
fn other_settings_are_refused_finished_or_not() {
    let place = Place::new(&[("in/a.pdb", pdb(6, 0.1)), ("in/b.pdb", pdb(6, 0.2))]);
    let large = Settings { size: 96, ..small() };
    let report = place.run_until(&["in"], &small(), &|| true).unwrap();
    assert!(report.stopped && report.drawn == 0);
    let refused = |place: &Place| place.run(&["in"], &large).unwrap_err().to_string();
    let words = "holds pictures of other settings (settings.size: then 64, now 96); choose another --out";
    assert!(refused(&place).ends_with(words), "{}", refused(&place));
    place.run(&["in"], &small()).unwrap();
    assert!(refused(&place).ends_with(words));
}

#[test]
fn a_stopped_or_killed_run_goes_on() {
    let files: Vec<(String, String)> =
        (0..12).map(|i| (format!("in/s{i:02}.pdb"), pdb(6 + i, 0.05 * i as f32))).collect();
    let files: Vec<(&str, String)> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let place = Place::new(&files);
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Ordering::SeqCst) >= 5;
    let report = place.run_until(&["in"], &small(), &stop).unwrap();
    assert!(report.stopped && report.drawn > 0 && report.drawn < 12, "{report:?}");
    assert!(!place.path("out/manifest.json").exists());
    // A kill cuts a line in two, and leaves a picture without one.
    let log = place.path("out").join(UNFINISHED);
    let mut text = fs::read_to_string(&log).unwrap();
    text.truncate(text.len() - 20);
    fs::write(&log, text).unwrap();

    let rest = place.run(&["in"], &small()).unwrap();
    assert_eq!((rest.pictures, rest.drawn), (12, 12 - report.drawn + 1));
    assert!(!log.exists());
    // A failing machine leaves half of a picture.
    let half = place.bytes("s03.png")[..100].to_vec();
    fs::write(place.path("out/s03.png"), half).unwrap();
    assert_eq!(place.run(&["in"], &small()).unwrap().drawn, 1);

    let whole = Place::new(&files);
    whole.run(&["in"], &small()).unwrap();
    for i in 0..12 {
        let name = format!("s{i:02}.png");
        assert!(place.bytes(&name) == whole.bytes(&name));
    }
}

#[test]
fn names_do_not_collide() {
    let paths =
        ["x/1aki.pdb", "x/1aki.cif", "x/1ubq.pdb.gz", "y/1UBQ.pdb.gz", "y/z.pdb", "p/q/z.pdb", "r/q/z.pdb"];
    let names: Vec<String> =
        named(paths.map(PathBuf::from).to_vec()).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "1aki.pdb.png",
        "1aki.cif.png",
        "x_1ubq.pdb.gz.png",
        "y_1UBQ.pdb.gz.png",
        "y_z.pdb.png",
        "q_z.pdb.png",
        "q_z.pdb_2.png",
    ];
    assert_eq!(names, expected);
    let one = named(vec![PathBuf::from("AF-O15552-F1-model_v4.cif.gz")]);
    assert_eq!(one[0].0, "AF-O15552-F1-model_v4.png");
}

#[test]
fn inputs_that_are_not_there_and_folders_without_structures() {
    let place = Place::new(&[("in/readme.txt", String::new())]);
    let error = |input: &str| place.run(&[input], &small()).unwrap_err().to_string();
    assert!(error("nowhere").contains("nowhere: cannot read"), "{}", error("nowhere"));
    let expected =
        "holds no structure, expected files ending in .pdb, .ent, .cif, .mmcif, .pdb1, plain or .gz";
    assert!(error("in").ends_with(expected), "{}", error("in"));
    let (out, inputs) = (place.path("a.png"), [place.path("in/readme.txt")]);
    let (settings, reading) = (small(), ReadOptions::default());
    let folder = Folder { inputs: &inputs, out: &out, settings: &settings, reading: &reading };
    let refused = render_folder(&folder, &|| false, &Silent).unwrap_err().to_string();
    assert!(refused.ends_with(
        "is to be a folder, in which each picture has its structure's name; name it without an ending"
    ));
    // The same file twice is one picture.
    fs::write(place.path("in/a.pdb"), pdb(5, 0.1)).unwrap();
    assert_eq!(place.run(&["in", "in/a.pdb"], &small()).unwrap().pictures, 1);
}
