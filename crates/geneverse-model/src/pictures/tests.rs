//! The image processor against transformers': the goldens are `make_llava_goldens.py`'s.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use geneverse_data::picture::{Channels, Picture};
use serde_json::{Map, Value, json};

use super::*;
use crate::config::ModelConfig;
use crate::config::fields::Fields;

pub(crate) const PICTURES: [&str; 5] = ["wide.rgb", "tall.rgb", "rgb.rgb", "pixel.rgb", "rgba.in"];

pub(crate) fn picture_path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../geneverse-data/tests/goldens/pictures");
    folder.join(format!("{name}.png"))
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn tensors(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden(&format!("{name}.safetensors")), &Device::Cpu).unwrap()
}

/// Numbers are the same but for rounding in f32: far below a step of 1/255, which is 0.0145 after the division by 0.27.
#[test]
fn pictures_are_made_ready_as_transformers_makes_them() {
    for (name, side) in [("llava", 22), ("llava_full", 18)] {
        let wanted = tensors(name);
        let config = ModelConfig::read(&golden(name)).unwrap();
        let processor = Processor::read(&golden(name), &config).unwrap();
        for (number, picture) in PICTURES.iter().enumerate() {
            let found = processor.prepare(Picture::read(&picture_path(picture)).unwrap(), side).unwrap();
            let wanted: Vec<f32> =
                wanted[&format!("pixels.{number}")].flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(found.len(), wanted.len());
            let difference = found.iter().zip(&wanted).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(difference < 1e-5, "{name}, {picture}: {difference}");
        }
    }
}

fn processor(fields: Value) -> Result<Processor, String> {
    let map: Map<String, Value> = fields.as_object().unwrap().clone();
    Processor::from_fields(&Fields::new(&map, Path::new("m/preprocessor_config.json")))
        .map_err(|e| e.to_string())
}

#[test]
fn a_long_and_narrow_picture_costs_no_more_than_its_middle() {
    let clip = processor(json!({"size": 336, "crop_size": 336})).unwrap();
    assert_eq!(
        clip,
        processor(json!({"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}))
            .unwrap()
    );
    // Resized as a whole it would have 336 × 10,080,000 pixels.
    let line = Picture::filled(30_000, 1, Channels::Rgb, [10, 20, 30, 0]);
    let numbers = clip.prepare(line, 336).unwrap();
    assert_eq!(numbers.len(), 3 * 336 * 336);
    let red = (10.0 / 255.0 - 0.481_454_66) / 0.268_629_54;
    assert!(numbers[..336 * 336].iter().all(|x| (x - red).abs() < 1e-5));
    let uncropped = processor(json!({"size": 336, "do_center_crop": false})).unwrap();
    let line = Picture::filled(30_000, 1, Channels::Rgb, [10, 20, 30, 0]);
    let error = uncropped.prepare(line, 336).unwrap_err().to_string();
    assert!(error.contains("a picture of 30000 × 1 pixels would become one of 10080000 × 336"), "{error}");
}

#[test]
fn settings_that_are_not_run_are_refused_by_name() {
    let error = |fields: Value| processor(fields).unwrap_err();
    assert_eq!(error(json!({"resample": 2})), "m/preprocessor_config.json: resample is 2; expected 3");
    assert_eq!(
        error(json!({"size": {"longest_edge": 5}})),
        "m/preprocessor_config.json: size is {\"longest_edge\":5}; expected {\"shortest_edge\": n} or {\"height\": h, \
         \"width\": w}, each from 1 to 16384"
    );
    assert!(error(json!({"image_mean": [0.5]})).contains("expected a list of three numbers"));
    assert!(error(json!({"image_std": [0, 1, 1]})).contains("expected numbers other than 0"));
    let small = processor(json!({"size": 20, "crop_size": 20})).unwrap();
    let error = small.prepare(Picture::filled(5, 5, Channels::Rgb, [0; 4]), 22).unwrap_err().to_string();
    assert_eq!(
        error,
        "preprocessor_config.json makes a picture of 20 × 20 pixels, and the tower takes 22 × 22"
    );
}

#[test]
fn placeholders_become_pictures() {
    let pictures = [PICTURE..PICTURE + 3, PICTURE + 6..PICTURE + 9];
    let p = |row: u32| PICTURE + row;
    assert_eq!(
        place_ids(&[1, 9, 5, 9, 6], 9, &pictures).unwrap(),
        [1, p(0), p(1), p(2), 5, p(6), p(7), p(8), 6]
    );
    // As many placeholders as a picture has tokens, as transformers' processor writes them.
    let repeated = [1, 9, 9, 9, 9, 9, 9, 5];
    assert_eq!(place_ids(&repeated, 9, &pictures).unwrap(), [1, p(0), p(1), p(2), p(6), p(7), p(8), 5]);
    assert_eq!(place_ids(&[1, 9, 5], 9, &pictures), Err(1));
    assert_eq!(place_ids(&[1, 5], 9, &[]).unwrap(), [1, 5]);
}
