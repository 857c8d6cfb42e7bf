//! Pictures: any bytes are a picture of as many bytes as it has pixels, or one error; what is one can be resized and cut.
#![no_main]

use geneverse_data::picture::Picture;
use geneverse_data::picture::resize::{bicubic_part, centre_crop};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(picture) = Picture::from_bytes(bytes) else { return };
    assert_eq!(picture.bytes.len(), picture.width * picture.height * picture.channels.count());
    let picture = picture.into_rgb();
    let small = bicubic_part(&picture, (31, 7), 3..20, 0..7);
    assert_eq!((small.width, small.height, small.bytes.len()), (17, 7, 3 * 17 * 7));
    let cut = centre_crop(&small, 9, 12);
    assert_eq!(cut.bytes.len(), 3 * 9 * 12);
});
