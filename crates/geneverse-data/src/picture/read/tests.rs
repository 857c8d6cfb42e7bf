//! Against Pillow, whose pictures `tests/goldens/pictures` holds with the script that made them.

use std::path::PathBuf;

use super::*;
use crate::picture::resize::{bicubic, centre_crop, pad_to_square};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/pictures").join(name)
}

/// Names in the goldens' folder with this end, without it.
fn named(end: &str) -> Vec<String> {
    let entries = std::fs::read_dir(golden("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(end)?.to_owned())).collect();
    names.sort();
    names
}

fn largest_difference(a: &Picture, b: &Picture) -> u8 {
    assert_eq!((a.width, a.height, a.channels), (b.width, b.height, b.channels));
    a.bytes.iter().zip(&b.bytes).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn every_kind_of_png_is_read_as_pillow_reads_it() {
    let kinds = named(".in.png");
    assert_eq!(kinds.len(), 11, "{kinds:?}");
    for kind in kinds {
        let found = Picture::read(&golden(&format!("{kind}.in.png"))).unwrap().into_rgb();
        let wanted = Picture::read(&golden(&format!("{kind}.rgb.png"))).unwrap();
        assert_eq!(largest_difference(&found, &wanted), 0, "{kind}");
    }
}

#[test]
fn every_kind_of_jpeg_is_read_as_pillow_reads_it() {
    let kinds = named(".in.jpg");
    assert_eq!(kinds.len(), 10, "{kinds:?}");
    for kind in kinds {
        let found = Picture::read(&golden(&format!("{kind}.in.jpg"))).unwrap();
        let wanted = Picture::read(&golden(&format!("{kind}.rgb.png"))).unwrap();
        let difference = largest_difference(&found, &wanted);
        assert_eq!(difference, 0, "{kind}");
    }
}

/// A damaged file is a picture or an error, and of the size that it says.
#[test]
fn damaged_jpegs_do_no_harm() {
    let mut state = 7u32;
    let mut next = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let mut pictures = 0;
    for kind in named(".in.jpg") {
        let whole = std::fs::read(golden(&format!("{kind}.in.jpg"))).unwrap();
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..1 + next(4) {
                let at = next(bytes.len() - 3) + 3;
                bytes[at] = next(256) as u8;
            }
            bytes.truncate(bytes.len() - next(20) * next(20));
            if let Ok(picture) = Picture::from_bytes(&bytes) {
                pictures += 1;
                assert_eq!(picture.bytes.len(), 3 * picture.width * picture.height);
            }
        }
    }
    assert!(pictures > 30, "{pictures}");
}

#[test]
fn sizes_change_as_pillow_changes_them_to_the_bit() {
    let cases = named(".resized.png");
    assert!(cases.len() >= 12, "{cases:?}");
    for case in cases {
        // name.WIDTHxHEIGHT
        let source = case.split('.').next().unwrap();
        let source = Picture::read(&golden(&format!("{source}.rgb.png"))).unwrap();
        let wanted = Picture::read(&golden(&format!("{case}.resized.png"))).unwrap();
        let found = bicubic(&source, wanted.width, wanted.height);
        assert_eq!(largest_difference(&found, &wanted), 0, "{case}");
    }
}

#[test]
fn a_crop_is_the_middle_and_padding_is_around_it() {
    let pixel = |x: u8, y: u8| [x, y, 7];
    let bytes = (0..4u8).flat_map(|y| (0..7u8).flat_map(move |x| pixel(x, y))).collect();
    let picture = Picture { width: 7, height: 4, channels: Channels::Rgb, bytes };
    let at =
        |picture: &Picture, x: usize, y: usize| picture.bytes[3 * (y * picture.width + x)..][..3].to_vec();
    let cropped = centre_crop(&picture, 4, 3);
    assert_eq!((at(&cropped, 0, 0), at(&cropped, 3, 2)), (vec![1, 0, 7], vec![4, 2, 7]));
    // Wider than it is, and lower: three columns are missing, two of them on the left.
    let wider = centre_crop(&picture, 10, 2);
    assert_eq!(
        (at(&wider, 1, 0), at(&wider, 2, 0), at(&wider, 9, 1)),
        (vec![0; 3], vec![0, 1, 7], vec![0; 3])
    );
    assert_eq!(at(&wider, 8, 1), [6, 2, 7]);
    let square = pad_to_square(&picture, [9, 8, 6]);
    assert_eq!((square.width, square.height), (7, 7));
    assert_eq!(
        (at(&square, 3, 0), at(&square, 3, 1), at(&square, 3, 5)),
        (vec![9, 8, 6], vec![3, 0, 7], vec![9, 8, 6])
    );
}

#[test]
fn what_is_no_picture_is_told() {
    let error = |bytes: &[u8]| Picture::from_bytes(bytes).unwrap_err();
    assert_eq!(error(b""), "is empty, expected a PNG or a JPEG file");
    assert_eq!(
        error(b"<html><body>"),
        "is no picture: it begins with the bytes 3c 68 74 6d 6c 3e 3c 62, expected a PNG or a JPEG file"
    );
    let whole = Picture::filled(5, 4, Channels::Rgb, [1, 2, 3, 0]).to_png().unwrap();
    assert!(error(&whole[..40]).starts_with("is no readable PNG file: "), "{}", error(&whole[..40]));
    assert!(error(b"\xff\xd8\xff\xe0 cut off").starts_with("is no readable JPEG file: "));
    let jpeg = std::fs::read(golden("subsampled.in.jpg")).unwrap();
    let cut = error(&jpeg[..jpeg.len() / 2]);
    assert!(cut.starts_with("is no readable JPEG file: "), "{cut}");

    // A header that promises 60,000 × 60,000 pixels, with the checksum that belongs to it.
    let mut bomb = whole.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let mut crc = flate2::Crc::new();
    crc.update(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    assert_eq!(
        error(&bomb),
        "is a picture of 60000 × 60000 pixels, expected at most 32768 to a side and 89478485 in all; make it smaller"
    );
    let missing = Picture::read(&golden("nowhere.png")).unwrap_err().to_string();
    assert!(missing.contains("nowhere.png"), "{missing}");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_picture_or_an_error(start in 0..3usize, bytes: Vec<u8>) {
        let start: &[u8] = [&PNG[..], &JPEG[..], &[]][start];
        if let Ok(picture) = Picture::from_bytes(&[start, &bytes].concat()) {
            assert_eq!(picture.bytes.len(), picture.width * picture.height * picture.channels.count());
        }
    }
}
