//! The colours that a tower expects of pictures: mean and deviation of each channel.
//!
//! A tower that begins from random weights learns from what differs between pictures. Where most of every picture is one colour,
//! numbers centred on grey differ by a few hundredths, and the tower stays where it is for hundreds of steps; centred and scaled
//! by its own pictures it learns at once.

use std::path::PathBuf;

use geneverse_data::picture::Picture;
use rayon::prelude::*;

use super::processor::Processor;
use crate::config::vision::CHANNELS;
use crate::error::{ModelError, Result};

/// Mean and deviation of red, green and blue, as shares of full light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colours {
    /// Means.
    pub mean: [f64; CHANNELS],
    /// Standard deviations.
    pub deviation: [f64; CHANNELS],
}

impl Default for Colours {
    /// From −1 for black to 1 for white.
    fn default() -> Self {
        Self { mean: [0.5; CHANNELS], deviation: [0.5; CHANNELS] }
    }
}

/// A deviation below one step of light in 255 would blow up noise.
const LEAST: f64 = 1.0 / 255.0;

impl Colours {
    /// The colours of pictures, over all pixels as a tower of `side` pixels gets them, to four digits. The order of the files
    /// does not matter.
    pub fn of(files: &[PathBuf], side: usize) -> Result<Self> {
        let processor = Processor::bytes(side);
        let sums = files
            .par_iter()
            .map(|file| -> Result<[[u64; 2]; CHANNELS]> {
                let numbers = processor.prepare(Picture::read(file)?, side)?;
                let mut sums = [[0_u64; 2]; CHANNELS];
                for (sums, numbers) in sums.iter_mut().zip(numbers.chunks_exact(side * side)) {
                    for number in numbers {
                        let byte = *number as u64;
                        *sums = [sums[0] + byte, sums[1] + byte * byte];
                    }
                }
                Ok(sums)
            })
            // Whole numbers: the same in any order.
            .try_reduce(
                || [[0; 2]; CHANNELS],
                |a, b| Ok(std::array::from_fn(|c| [a[c][0] + b[c][0], a[c][1] + b[c][1]])),
            )?;
        let count = (files.len() * side * side) as f64;
        if count == 0.0 {
            return Err(ModelError::Run("found no picture to take the colours of".to_owned()));
        }
        let round = |share: f64| (share * 1e4).round() / 1e4;
        let mean = sums.map(|[sum, _]| sum as f64 / count / 255.0);
        let squares = sums.map(|[_, squares]| squares as f64 / count / 255.0 / 255.0);
        let deviation =
            std::array::from_fn(|c| round((squares[c] - mean[c] * mean[c]).max(0.0).sqrt().max(LEAST)));
        Ok(Self { mean: mean.map(round), deviation })
    }
}

#[cfg(test)]
mod tests {
    use geneverse_data::picture::Channels;

    use super::*;

    fn written(folder: &std::path::Path, name: &str, colours: &[[u8; 3]]) -> PathBuf {
        let bytes = colours.iter().flatten().copied().collect();
        let picture = Picture { width: 2, height: colours.len() / 2, channels: Channels::Rgb, bytes };
        let path = folder.join(name);
        picture.write_png(&path).unwrap();
        path
    }

    #[test]
    fn colours_are_those_of_all_pixels_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            written(folder.path(), "a.png", &[[0, 10, 7]; 4]),
            written(folder.path(), "b.png", &[[255, 10, 7], [255, 30, 7], [255, 10, 7], [255, 30, 7]]),
        ];
        let colours = Colours::of(&files, 2).unwrap();
        // Green is 10 six times and 30 twice: mean 15, variance 75.
        assert_eq!(colours.mean, [0.5, 0.0588, 0.0275]);
        assert_eq!(colours.deviation, [0.5, 0.034, 0.0039]);
        let [a, b] = files;
        assert_eq!(Colours::of(&[b, a], 2).unwrap(), colours);
    }

    #[test]
    fn without_pictures_there_are_no_colours_and_a_broken_one_is_named() {
        assert_eq!(Colours::of(&[], 2).unwrap_err().to_string(), "found no picture to take the colours of");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no.png");
        std::fs::write(&path, "no picture").unwrap();
        let said = Colours::of(&[path], 2).unwrap_err().to_string();
        assert!(said.contains("no.png"), "{said}");
    }
}
