//! Files as NumPy, safetensors and spreadsheets write them, and broken ones.

use std::fs;

use proptest::prelude::*;

use super::read::{npy, safetensors};
use super::*;

fn read_named(name: &str, bytes: &[u8], ids: Option<&str>) -> Result<Embedding, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    if let Some(ids) = ids {
        fs::write(ids_path(&path), ids).unwrap();
    }
    let shown = folder.path().display().to_string() + "/";
    read(&path, None).map_err(|e| e.to_string().replace(&shown, ""))
}

/// As `numpy.save` writes (2, 3) numbers of `<f8`.
fn numpy(descr: &str, order: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes(), values]
        .concat()
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn what_is_written_is_read_and_begins_where_numpy_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("embeddings.npy");
    let ids = ["GLI1", "a,b", "\"q\""].map(str::to_owned).to_vec();
    let embedding = Embedding { ids, vectors: vec![1.0, -2.5, 0.0, 3.0, 1e-20, 7.0], dimensions: 2 };
    write_npy(&path, &embedding).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!((bytes.len() - 24) % 64, 0);
    assert_eq!(bytes[bytes.len() - 25], b'\n');
    assert_eq!(read(&path, None).unwrap(), embedding);
    let elsewhere = folder.path().join("names");
    fs::write(&elsewhere, "x\ny\nz\n").unwrap();
    assert_eq!(read(&path, Some(&elsewhere)).unwrap().ids, ["x", "y", "z"]);
}

#[test]
fn arrays_of_other_programs_are_read() {
    let bytes = numpy("<f8", "False", "(2, 3)", &doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let read = read_named("e.npy", &bytes, Some("a\nb\n\n")).unwrap();
    assert_eq!((read.vectors.as_slice(), read.dimensions), ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0].as_slice(), 3));

    let header = br#"{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend([1.5f32, 2.5].iter().flat_map(|x| x.to_le_bytes()));
    assert_eq!(read_named("e.safetensors", &bytes, Some("a\nb")).unwrap().vectors, [1.5, 2.5]);

    let table = read_named("e.csv", b"id,0,1\r\n\"a,\"\"b\",1,2e-1\nc, 3 ,4\n", None).unwrap();
    assert_eq!((table.ids[0].as_str(), table.ids[1].as_str()), ("a,\"b", "c"));
    assert_eq!(table.vectors, [1.0, 0.2, 3.0, 4.0]);
    assert_eq!(read_named("e.tsv", b"a\t1\nb\t2\n", None).unwrap().vectors, [1.0, 2.0]);
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let six = doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let npy_error = |bytes: &[u8]| read_named("e.npy", bytes, Some("a\nb")).unwrap_err();
    let fine = numpy("<f8", "False", "(2, 3)", &six);
    assert!(read_named("e.npy", &fine, None).unwrap_err().contains("e.npy.ids.txt is not there"));
    let few = read_named("e.npy", &fine, Some("a\n")).unwrap_err();
    assert!(few.starts_with("e.npy.ids.txt: found 1 ids, expected 2"), "{few}");
    let twice = read_named("e.npy", &fine, Some("a\na\n")).unwrap_err();
    assert!(twice.contains("vector 2 has the id \"a\" of vector 1"), "{twice}");
    assert!(npy_error(&numpy("<i8", "False", "(2, 3)", &six)).contains("found numbers of type <i8"));
    assert!(npy_error(&numpy("<f8", "True", "(2, 3)", &six)).contains("ascontiguousarray"));
    assert!(npy_error(&numpy("<f8", "False", "(6,)", &six)).contains("found an array of 1 dimensions"));
    assert!(npy_error(&fine[..fine.len() - 1]).contains("it looks truncated"));
    assert!(npy_error(b"PK").contains("does not begin"));
    let nan = numpy("<f8", "False", "(2, 1)", &doubles(&[0.0, f64::NAN]));
    assert!(npy_error(&nan).contains("vector 2 (\"b\") holds NaN"));
    let table = |text: &str| read_named("e.csv", text.as_bytes(), None).unwrap_err();
    assert_eq!(table("a,1,2\nb,1\n"), "e.csv:2: found 1 numbers, expected 2 as on the first line");
    assert_eq!(table("id,x\na,1\nb,two\n"), "e.csv:3: found \"two\", expected a number");
    assert!(table("id,x\n").contains("found 0 vectors"));
    assert!(read_named("e.txt", b"", None).unwrap_err().contains("expected npy, safetensors, csv or tsv"));
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(noise in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..300) {
        let _ = (npy(&noise), safetensors(&noise));
        let mut bytes = numpy("<f8", "False", "(2, 3)", &doubles(&[1.0; 6]));
        let at = at % bytes.len();
        let end = bytes.len().min(at + noise.len());
        bytes[at..end].copy_from_slice(&noise[..end - at]);
        let _ = npy(&bytes);
    }
}
