//! `config.json` of a checkpoint: any bytes give a configuration whose numbers fit together, or one error.
#![no_main]

use geneverse_model::config::ModelConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for one input");
    std::fs::write(folder.path().join("config.json"), bytes).expect("the input as a file");
    if let Ok(config) = ModelConfig::read(folder.path()) {
        assert!(config.check().is_ok());
        config.write(folder.path(), "float32").expect("what was read can be written");
        let again = ModelConfig::read(folder.path()).expect("what was written can be read");
        assert_eq!(again.qkv_dim(), config.qkv_dim());
    }
});
