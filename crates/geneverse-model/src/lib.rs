//! The finetuning engine. The only crate that names candle.
