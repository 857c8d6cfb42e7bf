//! Files of examples as other programs write them, and what is wrong with files that are none.

use super::*;
use crate::dataset::format::Format;

fn read(text: &str) -> Result<Vec<Example>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.json");
    std::fs::write(&path, text).unwrap();
    let place = format!("{}/", folder.path().display());
    read_examples(&path).map_err(|e| e.to_string().replace(&place, ""))
}

#[test]
fn every_format_reads_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let one = Example {
        id: "gene-GLI1".into(),
        task: Task::Gene,
        subject: "GLI1".into(),
        instruction: "Say \"GLI1\".\n".into(),
        input: String::new(),
        output: "GLI1 — yes".into(),
        ..Example::default()
    };
    let two = Example { id: "gene-KDR".into(), subject: "KDR".into(), task: Task::Marker, ..one.clone() };
    let examples = [one, two];
    for format in Format::ALL {
        let path = folder.path().join(format.file("train"));
        format.write(&path, &examples).unwrap();
        assert_eq!(read_examples(&path).unwrap(), examples, "{format:?}");
    }
    let with_input = Example { input: "In mice.".into(), ..examples[0].clone() };
    let path = folder.path().join("input.json");
    Format::Sharegpt.write(&path, &[with_input]).unwrap();
    assert_eq!(read_examples(&path).unwrap()[0].instruction, "Say \"GLI1\".\n\n\nIn mice.");
}

#[test]
fn what_other_programs_write_loads_with_defaults() {
    let plain = read(
        "\u{feff}[{\"instruction\": \"a\", \"output\": \"b\"}, {\"instruction\": \"c\", \"input\": null, \"output\": \"d\"}]",
    );
    let plain = plain.unwrap();
    let same = [
        "{\"instruction\": \"a\", \"output\": \"b\"}\r\n\r\n{\"instruction\": \"c\", \"output\": \"d\"}\r\n",
        r#"[{"conversations": [{"from": "system", "value": ""}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
            {"conversations": [{"from": "user", "value": "c"}, {"from": "assistant", "value": "d", "weight": 1}]}]"#,
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}]}\n\
         {\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"c\"}]}, {\"role\": \"assistant\", \"content\": \"d\"}]}",
        "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"c\", \"completion\": \"d\"}",
    ];
    for text in same {
        assert_eq!(read(text).unwrap(), plain, "{text}");
    }
    let last = plain.last().unwrap();
    assert_eq!((last.id.as_str(), last.task, last.subject.as_str()), ("example-2", Task::Gene, ""));
    assert_eq!(read(r#"[{"id": 7, "instruction": "a", "output": "b"}]"#).unwrap()[0].id, "7");
}

#[test]
fn errors_name_the_file_the_place_the_field_and_what_was_expected() {
    let refused = |text: &str, wanted: &str| {
        let error = read(text).unwrap_err();
        assert!(error.starts_with(wanted), "{error}\nexpected {wanted}");
    };
    let good = r#"{"instruction": "a", "output": "b"}"#;
    refused(
        &format!("[{good}, {{\"instruction\": \"c\"}}]"),
        "train.json: example 2 of the array: `output` is missing, expected a text",
    );
    refused(
        &format!("{good}\n{{\"instruction\": 5, \"output\": \"b\"}}"),
        "train.json:2: `instruction` is a number (5), expected a text",
    );
    refused(&format!("{good}\n{{\"instruction\""), "train.json:2: not JSON: EOF");
    refused("{\"text\": \"a\"}", "train.json:1: found `text` alone, which does not say where the answer");
    refused("{\"question\": \"a\", \"answer\": \"b\"}", "train.json:1: found `question`, `answer`, expected");
    refused("[5]", "train.json: example 1 of the array: found a number (5), expected an object");
    refused(
        r#"[{"instruction": "a", "output": "b", "task": "cell"}]"#,
        "train.json: example 1 of the array: `task` is \"cell\", expected \"gene\", \"protein\" or",
    );
    let talk = |turns: &str| format!("{good}\n{{\"conversations\": {turns}}}");
    let (human, gpt) = (r#"{"from": "human", "value": "a"}"#, r#"{"from": "gpt", "value": "b"}"#);
    refused(
        &talk(&format!("[{human}, {gpt}, {human}, {gpt}]")),
        "train.json:2: `conversations` has turns of user, assistant, user, assistant, expected one of the user",
    );
    refused(&talk(&format!("[{gpt}]")), "train.json:2: `conversations` has turns of assistant, expected");
    refused(&talk("{}"), "train.json:2: `conversations` is an object, expected a list of turns");
    refused(
        &talk(&format!("[{{\"from\": \"system\", \"value\": \"Be kind.\"}}, {human}, {gpt}]")),
        "train.json:2: `conversations[0].value` is a system prompt, expected none",
    );
    refused(
        &talk(&format!("[{{\"from\": \"function_call\", \"value\": \"f\"}}, {gpt}]")),
        "train.json:2: `conversations[0].from` is \"function_call\", expected the user's",
    );
    refused(
        r#"{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}"#,
        "train.json:1: `messages[0].content[0]` is of type \"image_url\", expected text or image",
    );
    refused("", "train.json: found no example");
    refused("[]", "train.json: found no example");
    refused("[\n{]", "train.json:2: not JSON");
}

#[test]
fn pictures_are_read_from_every_form_and_written_as_llava_has_them() {
    let one = r#"{"id": "1", "task": "marker", "subject": "KDR", "image": "images/a.png", "cell_type": "T Cells",
        "label": "no", "conversations": [{"from": "human", "value": "<image>\nIs it?"}, {"from": "gpt", "value": "No."}]}"#;
    let one = one.replace('\n', " ");
    let example = read(&one).unwrap().remove(0);
    let (images, cell_type) = (vec!["images/a.png".to_owned()], Some("T Cells".to_owned()));
    assert_eq!(
        (&example.images, &example.cell_type, example.label.as_deref()),
        (&images, &cell_type, Some("no"))
    );
    assert_eq!(example.instruction, "Is it?");
    assert_eq!(example.picture_paths(Path::new("data/train.json")), [Path::new("data/images/a.png")]);
    let behind = one.replace("<image>\\nIs it?", "Is it?\\n<image>");
    assert_eq!(read(&behind).unwrap()[0], example);
    let parts = r#"[{"type": "image", "image": "images/a.png"}, {"type": "text", "text": "Is it?"}]"#;
    let messages = format!(
        r#"{{"id": "1", "task": "marker", "subject": "KDR", "cell_type": "T Cells", "label": "no",
        "messages": [{{"role": "user", "content": {parts}}}, {{"role": "assistant", "content": "No."}}]}}"#
    );
    assert_eq!(read(&messages.replace('\n', " ")).unwrap()[0], example);

    let folder = tempfile::tempdir().unwrap();
    let two = Example {
        instruction: "Is <image> like <image>?".into(),
        images: vec!["a.png".into(), "b.png".into()],
        ..example.clone()
    };
    let both = Example { instruction: "Alike?".into(), ..two.clone() };
    for format in [Format::Llava, Format::Sharegpt, Format::Messages, Format::Hf, Format::Alpaca] {
        let path = folder.path().join("there").join(format.file("train"));
        format.write(&path, &[example.clone(), two.clone(), both.clone()]).unwrap();
        assert_eq!(read_examples(&path).unwrap(), [example.clone(), two.clone(), both.clone()], "{format:?}");
    }
    let path = folder.path().join("llava.json");
    Format::Llava.write(&path, &[example]).unwrap();
    let written = std::fs::read_to_string(&path).unwrap();
    let wanted = concat!(
        "[\n{\"id\":\"1\",\"task\":\"marker\",\"subject\":\"KDR\",\"image\":\"images/a.png\",\"cell_type\":\"T Cells\",",
        "\"label\":\"no\",\"conversations\":[{\"from\":\"human\",\"value\":\"<image>\\nIs it?\"},",
        "{\"from\":\"gpt\",\"value\":\"No.\"}]}\n]\n"
    );
    assert_eq!(written, wanted);
}

#[test]
fn as_many_pictures_as_places() {
    let row = |image: &str, question: &str| {
        let text = format!("[{{\"image\": {image}, \"instruction\": \"{question}\", \"output\": \"b\"}}]");
        read(&text).map(|mut examples| examples.remove(0))
    };
    assert_eq!(row("null", "What is <image> in a page?").unwrap().instruction, "What is <image> in a page?");
    assert_eq!(row("[\"a\", \"b\"]", "Two?").unwrap().images.len(), 2);
    let error = |image: &str, question: &str| row(image, question).unwrap_err();
    assert_eq!(
        error("\"a.png\"", "<image> and <image>?"),
        "train.json: example 1 of the array: the question has 2 × `<image>` and the row names 1 pictures in `image`, \
         expected as many"
    );
    assert!(
        error("null", "<image>?").contains("the question has 1 × `<image>` and the row names 0 pictures")
    );
    assert!(error("5", "a").ends_with("`image` is a number (5), expected the name of a picture file"));
    assert!(error("[5]", "a").ends_with("`image` is a number (5), expected the names of picture files"));
}

#[test]
fn bytes_that_are_no_text_are_named_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, b"{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\": \"\xff\"}")
        .unwrap();
    let error = read_examples(&path).unwrap_err().to_string();
    assert!(
        error
            .ends_with("a.jsonl:2: found bytes that are not UTF-8, expected text in UTF-8; convert the file")
    );
}
