//! Which configurations are read and which are refused, and by which field.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::*;

fn fields(model_type: &str) -> Map<String, Value> {
    let value = json!({"model_type": model_type, "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 16,
        "vocab_size": 100, "eos_token_id": [2, 7]});
    value.as_object().unwrap().clone()
}

fn with(model_type: &str, changes: &[(&str, Value)]) -> Result<ModelConfig> {
    let mut fields = fields(model_type);
    for (field, value) in changes {
        fields.insert((*field).into(), value.clone());
    }
    ModelConfig::from_fields(&fields, Path::new("m/config.json"))
}

fn refusal(model_type: &str, field: &str, value: Value) -> String {
    with(model_type, &[(field, value)]).unwrap_err().to_string()
}

#[test]
fn what_changes_the_arithmetic_is_refused_by_name() {
    let mut fields = fields("llama");
    fields.remove("num_key_value_heads");
    fields.remove("head_dim");
    let config = ModelConfig::from_fields(&fields, Path::new("m/config.json")).unwrap();
    assert_eq!((config.num_key_value_heads, config.head_dim), (4, 16));
    assert_eq!(config.eos_token_ids, [2, 7]);

    assert_eq!(
        refusal("llama", "hidden_act", json!("relu")),
        "m/config.json: hidden_act is \"relu\"; expected \"silu\", \"gelu\", \"gelu_new\", \
         \"gelu_pytorch_tanh\" or \"quick_gelu\""
    );
    let yarn = refusal("llama", "rope_scaling", json!({"rope_type": "yarn", "factor": 4.0}));
    assert!(yarn.contains("rope_type is \"yarn\"; expected \"default\", \"linear\" or \"llama3\""), "{yarn}");
    assert!(
        refusal("mamba", "x", json!(1)).contains("model_type is \"mamba\"; expected one of llama, mistral")
    );
    assert!(refusal("llama", "num_key_value_heads", json!(3)).contains("a divisor of num_attention_heads"));
    assert!(refusal("llama", "quantization_config", json!({"bits": 4})).contains("quantization_config is"));
    assert!(refusal("mistral", "sliding_window", json!(0)).contains("sliding_window is 0"));
    assert!(refusal("gpt2", "add_cross_attention", json!(true)).contains("add_cross_attention is true"));
    assert!(refusal("gemma3_text", "use_bidirectional_attention", json!(true)).contains("bidirectional"));
    assert!(refusal("llama", "partial_rotary_factor", json!(0.5)).contains("partial_rotary_factor is 0.5"));
}

#[test]
fn windows_are_those_of_the_family() {
    let window = ("sliding_window", json!(8));
    let windows = |model_type: &str, more: &[(&str, Value)]| {
        let changes = [std::slice::from_ref(&window), more].concat();
        with(model_type, &changes).unwrap().windows
    };
    assert_eq!(windows("mistral", &[]), [Some(8); 4]);
    assert_eq!(with("mistral", &[]).unwrap().windows, [Some(4096); 4]);
    assert_eq!(with("mistral", &[("sliding_window", Value::Null)]).unwrap().windows, [None; 4]);
    assert_eq!(windows("qwen2", &[]), [None; 4]);
    assert_eq!(
        windows("qwen2", &[("use_sliding_window", json!(true)), ("max_window_layers", json!(3))]),
        [None, None, None, Some(8)]
    );
    assert_eq!(windows("gemma2", &[]), [Some(8), None, Some(8), None]);
    assert_eq!(
        windows("gemma3_text", &[("sliding_window_pattern", json!(3))]),
        [Some(8), Some(8), None, Some(8)]
    );
    let types = json!(["full_attention", "sliding_attention", "full_attention", "full_attention"]);
    assert_eq!(windows("gemma2", &[("layer_types", types)]), [None, Some(8), None, None]);
}
