//! Tables of cells, as text and as Parquet, whole and damaged.

use std::io::Write;
use std::path::PathBuf;

use super::*;

fn text(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells.csv");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The texts of some columns, and the reasons for which rows were skipped.
fn rows(bytes: &[u8], names: &[&str]) -> (Vec<Vec<String>>, Vec<String>) {
    let (_folder, path) = text(bytes);
    let table = Table::open(&path).unwrap();
    let columns: Vec<usize> = names.iter().map(|name| table.find(&[name]).unwrap()).collect();
    let (mut found, mut skips) = (Vec::new(), Skips::default());
    let each = |_: usize, fields: &[Field<'_>], _: &mut Skips| {
        found.push(fields.iter().map(|field| field.text().into_owned()).collect());
    };
    let read = table.rows(&columns, &mut skips, each).unwrap();
    assert_eq!(read, found.len() + skips.total);
    (found, skips.listed.iter().map(|skip| format!("{}: {}", skip.line, skip.reason)).collect())
}

#[test]
fn columns_are_found_by_name_whatever_stands_between_them() {
    for (delimiter, table) in [
        (",", "\u{feff}Barcode,Cluster\r\n1,DCIS_2\r\n"),
        ("\t", "Barcode\tCluster\n1\tDCIS_2"),
        (";", "barcode;cluster\n1;DCIS_2\n"),
    ] {
        let (found, skips) = rows(table.as_bytes(), &["cluster", "BARCODE"]);
        assert_eq!((found, skips), (vec![vec!["DCIS_2".to_owned(), "1".to_owned()]], vec![]), "{delimiter}");
    }
}

#[test]
fn quoted_fields_may_hold_commas_and_quotes() {
    let (found, _) = rows(
        b"\"\",\"cell type\",x\n\"c1\",\"B, naive\",1\n\"c2\",\"say \"\"T\"\"\",2\nc3,,3\nc4,\"open,4\n",
        &["", "cell.type"],
    );
    let found: Vec<Vec<&str>> = found.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    assert_eq!(found, [["c1", "B, naive"], ["c2", "say \"T\""], ["c3", ""]]);
}

#[test]
fn a_header_that_is_one_name_short_has_its_identifiers_first() {
    let (found, _) = rows(b"x,type\nc1,2.5,B\nc2,3,T\n", &["", "type"]);
    assert_eq!(found, [["c1", "B"], ["c2", "T"]]);
}

#[test]
fn rows_that_are_short_or_long_or_no_text_are_skipped_with_their_line() {
    let (found, skips) = rows(b"a,b\n1,2\n3\n4,5,6\n\xff,7\n8,9\n", &["a"]);
    assert_eq!(found, [["1"], ["8"]]);
    assert_eq!(
        skips,
        [
            "3: too few columns: expected 2 columns, found 1",
            "4: too many columns: expected 2 columns, found 3",
            "5: not UTF-8 text"
        ]
    );
}

#[test]
fn a_table_without_the_column_says_what_it_has() {
    let (_folder, path) = text(b"a,b\n1,2\n");
    let error =
        Table::open(&path).unwrap().need("cells' identifiers", &["cell_id", ""]).unwrap_err().to_string();
    assert!(
        error.ends_with("found no column of cells' identifiers (cell_id); its columns are: a, b"),
        "{error}"
    );
    let (_folder, path) = text(b"");
    let error = Table::open(&path).err().unwrap().to_string();
    assert!(error.ends_with("is empty, expected a header line with column names"), "{error}");
}

#[test]
fn a_truncated_gzip_and_a_truncated_parquet_say_so() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all("cell_id,x,y\n".repeat(3000).as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    let (_folder, path) = text(&bytes[..bytes.len() - 9]);
    let read = Table::open(&path).and_then(|table| table.rows(&[0], &mut Skips::default(), |_, _, _| ()));
    assert!(read.unwrap_err().to_string().contains("truncated, fetch it again"));

    let whole = std::fs::read(golden("cells_zstd.parquet")).unwrap();
    for length in [4, 11, 100, whole.len() - 1] {
        let (_folder, path) = text(&whole[..length]);
        let error = Table::open(&path).err().unwrap().to_string();
        assert!(
            error.ends_with("is not whole as a Parquet file, it may be truncated: fetch it again"),
            "{error}"
        );
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tissue").join(name)
}

/// Rows as the golden's script made them: see `tests/goldens/tissue/make.py`.
fn check_cells(name: &str) {
    let table = Table::open(&golden(name)).unwrap();
    assert_eq!(
        table.names(),
        ["cell_id", "x_centroid", "y_centroid", "cell_type", "count", "inside"],
        "{name}"
    );
    let mut row = 0;
    let read = table.rows(&[0, 1, 2, 3, 4, 5], &mut Skips::default(), |line, fields, _| {
        let at = row as f64;
        assert_eq!(line, row + 1);
        assert_eq!(fields[0], Field::Text(&format!("cell-{row}")), "{name}");
        let expected = if row == 3 { Field::Missing } else { Field::Number(at * 1.5) };
        assert_eq!(fields[1], expected, "{name} {row}");
        assert_eq!(fields[2].number(), Some(at * 0.25), "{name} {row}");
        let expected =
            if row % 7 == 5 { Field::Missing } else { Field::Text(["B", "T", "Endothélial"][row % 3]) };
        assert_eq!(fields[3], expected, "{name} {row}");
        assert_eq!(fields[4], Field::Integer(row as i64 - 40), "{name} {row}");
        assert_eq!(fields[5], Field::Integer(i64::from(row % 4 == 0)), "{name} {row}");
        row += 1;
    });
    assert_eq!((read.unwrap(), row), (150, 150), "{name}");
}

#[test]
fn parquet_is_read_as_pyarrow_wrote_it_however_it_is_packed() {
    for name in ["plain", "snappy", "gzip", "zstd", "v2", "groups", "fallback"] {
        check_cells(&format!("cells_{name}.parquet"));
    }
}

#[test]
fn what_is_not_read_of_parquet_is_named() {
    for (name, expected) in [
        (
            "lz4",
            "column cell_id: is packed by LZ4; write the file again with compression=\"zstd\" or \"snappy\"",
        ),
        (
            "delta",
            "column cell_id: its encoding is DELTA_BYTE_ARRAY, expected plain or by a dictionary; write the file again \
             with pyarrow",
        ),
    ] {
        let table = Table::open(&golden(&format!("cells_{name}.parquet"))).unwrap();
        let error = table.rows(&[0], &mut Skips::default(), |_, _, _| ()).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn damage_anywhere_in_a_parquet_file_is_an_error_or_other_values() {
    let whole = std::fs::read(golden("cells_zstd.parquet")).unwrap();
    let (_folder, path) = text(&whole);
    for at in (0..whole.len()).step_by(11) {
        for change in [0xff, 0x01] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(table) = Table::open(&path) {
                let columns: Vec<usize> = (0..table.names().len()).collect();
                let _ = table.rows(&columns, &mut Skips::default(), |_, fields, _| {
                    let _ = fields.iter().map(|field| field.text().len()).sum::<usize>();
                });
            }
        }
    }
}
