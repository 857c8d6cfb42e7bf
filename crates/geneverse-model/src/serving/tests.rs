//! Answers of the engine: those of `generate`, whatever is asked meanwhile; what is kept, cancelled and refused.

use super::*;
use crate::generate::{Choice, Event, GenerateConfig, generate};
use crate::goldens::golden;

const LIMITS: Limits = Limits { running: 4, waiting: 64, cache_bytes: 1 << 30, piece: PIECE };

fn model() -> Decoder {
    Decoder::read(&golden("llama")).unwrap()
}

/// One that answers for longer than any test takes.
fn endless() -> Decoder {
    let config = ModelConfig { max_position_embeddings: 1 << 17, ..model().config().clone() };
    Decoder::random(config, 5)
}

fn config(max_new_tokens: usize) -> AnswerConfig {
    AnswerConfig { stop_ids: vec![2, 5], ..AnswerConfig::greedy(max_new_tokens) }
}

fn request(ids: &[u32], adapter: Option<usize>, max_new_tokens: usize) -> Request {
    Request { ids: ids.to_vec(), pictures: None, adapter, config: config(max_new_tokens) }
}

/// The same that ends at the longest length only.
fn unstopped(ids: &[u32], max_new_tokens: usize) -> Request {
    let config = AnswerConfig { stop_ids: Vec::new(), ..config(max_new_tokens) };
    Request { config, ..request(ids, None, max_new_tokens) }
}

/// Prompts of uneven lengths, two of which begin alike.
fn prompts() -> Vec<Vec<u32>> {
    let vocabulary = model().config().vocab_size as u32;
    let prompt = |number: u32, len: u32| -> Vec<u32> {
        let mut ids: Vec<u32> =
            (0..len).map(|place| 6 + (place * 7 + number * 13) % (vocabulary - 6)).collect();
        ids[0] = 1;
        ids
    };
    let mut prompts: Vec<Vec<u32>> = (0..9).map(|number| prompt(number, 1 + (number * 5) % 17)).collect();
    let mut alike = prompts[3].clone();
    alike.extend([9, 10]);
    prompts.push(alike);
    prompts
}

/// What `generate` answers, with whether each ended by itself.
fn generated(model: &Decoder, max_new_tokens: usize) -> Vec<(Vec<u32>, bool)> {
    let config = GenerateConfig {
        max_new_tokens,
        batch: 4,
        stop_ids: vec![2, 5],
        repetition_penalty: 1.0,
        no_repeat_ngram_size: 0,
        no_repeat_in_answer: 0,
    };
    let prompts = prompts();
    let mut answers = vec![(Vec::new(), false); prompts.len()];
    generate(model, &prompts, &config, &mut |event| {
        if let Event::Done(done) = event {
            answers[done.prompt] = (done.ids, done.stopped);
        }
        Ok(true)
    })
    .unwrap();
    answers
}

fn heard(answering: &Answering) -> (Vec<u32>, bool) {
    let mut ids = Vec::new();
    loop {
        match answering.next() {
            Some(Told::Token(id)) => ids.push(id),
            Some(Told::Done { stopped }) => {
                assert_eq!(answering.next(), None, "nothing comes after the end");
                return (ids, stopped);
            }
            other => panic!("{other:?} after {ids:?}"),
        }
    }
}

#[test]
fn answers_are_those_of_generate_whatever_is_asked_meanwhile() {
    let wanted = generated(&model(), 24);
    let engine = Engine::start(model(), Vec::new(), LIMITS).unwrap();
    // All at once, and again one after another.
    let asked: Vec<Answering> =
        prompts().iter().map(|ids| engine.ask(request(ids, None, 24)).unwrap()).collect();
    let together: Vec<(Vec<u32>, bool)> = asked.iter().map(heard).collect();
    assert_eq!(together, wanted);
    for (ids, wanted) in prompts().iter().zip(&wanted) {
        assert_eq!(&heard(&engine.ask(request(ids, None, 24)).unwrap()), wanted);
    }
    // From threads that come as they like.
    std::thread::scope(|scope| {
        for (ids, wanted) in prompts().into_iter().zip(&wanted) {
            let engine = &engine;
            scope.spawn(move || assert_eq!(&heard(&engine.ask(request(&ids, None, 24)).unwrap()), wanted));
        }
    });
    let prompt_tokens = 3 * prompts().iter().map(Vec::len).sum::<usize>() as u64;
    let answer_tokens = 3 * wanted.iter().map(|(ids, _)| ids.len()).sum::<usize>() as u64;
    let count = 3 * wanted.len() as u64;
    engine.close();
    let found = settled(&engine);
    assert_eq!((found.asked, found.finished, found.cancelled, found.failed), (count, count, 0, 0));
    assert_eq!((found.prompt_tokens, found.answer_tokens), (prompt_tokens, answer_tokens));
    assert_eq!((found.waiting, found.running, found.cache_bytes), (0, 0, 0));
}

#[test]
fn a_prompt_read_in_pieces_is_answered_as_one_read_whole() {
    let adapter = golden("llama-dora");
    for piece in [1, 3, 8] {
        for by in [None, Some(0)] {
            let base = model();
            let adapters = vec![Adapter::read(&adapter, &base).unwrap()];
            let wanted = match by {
                None => generated(&base, 12),
                Some(_) => generated(&model().with_adapter(&adapter).unwrap(), 12),
            };
            let engine = Engine::start(base, adapters, Limits { piece, ..LIMITS }).unwrap();
            let asked: Vec<Answering> =
                prompts().iter().map(|ids| engine.ask(request(ids, by, 12)).unwrap()).collect();
            let answers: Vec<(Vec<u32>, bool)> = asked.iter().map(heard).collect();
            assert_eq!(answers, wanted, "pieces of {piece} tokens, adapter {by:?}");
            engine.close();
            let tokens = prompts().iter().map(Vec::len).sum::<usize>() as u64;
            assert_eq!(settled(&engine).prompt_tokens, tokens);
        }
    }
}

/// The figures once an engine that was closed has come to its end.
fn settled(engine: &Engine) -> Figures {
    while engine.lives() {
        std::thread::sleep(Duration::from_millis(1));
    }
    engine.figures()
}

#[test]
fn several_adapters_answer_side_by_side_as_each_does_alone() {
    let folders = ["llama-adapter", "llama-dora"].map(golden).into_iter().filter(|folder| folder.exists());
    let folders: Vec<_> = folders.collect();
    assert!(!folders.is_empty());
    let base = model();
    let adapters: Vec<Adapter> = folders.iter().map(|folder| Adapter::read(folder, &base).unwrap()).collect();
    assert!(adapters.iter().all(|adapter| adapter.bytes() > 0));
    let mut wanted = vec![generated(&base, 16)];
    wanted.extend(folders.iter().map(|folder| generated(&model().with_adapter(folder).unwrap(), 16)));
    assert_ne!(wanted[0], wanted[1], "the adapter changes answers");
    let count = wanted.len();
    let engine = Engine::start(base, adapters, LIMITS).unwrap();
    // Prompt after prompt, each asked of the base and of every adapter.
    let asked: Vec<(usize, usize, Answering)> = (0..prompts().len() * count)
        .map(|number| {
            let (prompt, by) = (number / count, number % count);
            let adapter = by.checked_sub(1);
            (prompt, by, engine.ask(request(&prompts()[prompt], adapter, 16)).unwrap())
        })
        .collect();
    for (prompt, by, answering) in asked {
        assert_eq!(heard(&answering), wanted[by][prompt], "prompt {prompt} by {by}");
    }
}

#[test]
fn each_request_has_its_own_end_and_draws() {
    let engine = Engine::start(model(), Vec::new(), LIMITS).unwrap();
    let ids = &prompts()[2];
    let (long, stopped) = heard(&engine.ask(unstopped(ids, 12)).unwrap());
    assert_eq!((long.len(), stopped), (12, false));
    assert_eq!(heard(&engine.ask(unstopped(ids, 3)).unwrap()), (long[..3].to_vec(), false));
    let stopping = AnswerConfig { stop_ids: vec![long[2]], ..config(12) };
    let first = long.iter().position(|id| *id == long[2]).unwrap();
    let answering = engine.ask(Request { config: stopping, ..request(ids, None, 12) }).unwrap();
    assert_eq!(heard(&answering), (long[..first].to_vec(), true));
    let draw = |seed| {
        let choice = Choice::Drawn { temperature: 1.5, top_p: 1.0, seed };
        let Request { config, .. } = unstopped(ids, 12);
        let config = AnswerConfig { choice, ..config };
        heard(&engine.ask(Request { config, ..unstopped(ids, 12) }).unwrap()).0
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn who_leaves_makes_room() {
    let limits = Limits { running: 1, waiting: 2, cache_bytes: 1 << 30, piece: PIECE };
    let engine = Engine::start(endless(), Vec::new(), limits).unwrap();
    let ask = || engine.ask(unstopped(&[1], engine.room(1)));
    let first = ask().unwrap();
    assert!(matches!(first.next(), Some(Told::Token(_))));
    let waiting = [ask().unwrap(), ask().unwrap()];
    // The only place is taken, both others wait, and a fourth is one too many.
    match ask() {
        Err(refused) => assert_eq!(refused, Refused::Full { waiting: 2 }),
        Ok(_) => panic!("taken on"),
    }
    drop(waiting);
    drop(first);
    assert_eq!(heard(&engine.ask(unstopped(&prompts()[2], 4)).unwrap()).0.len(), 4);
    engine.close();
    let found = settled(&engine);
    assert_eq!((found.finished, found.cancelled, found.running, found.cache_bytes), (1, 3, 0, 0));
}

#[test]
fn a_closed_engine_answers_what_was_asked_before() {
    let engine = Engine::start(model(), Vec::new(), LIMITS).unwrap();
    let asked: Vec<Answering> =
        prompts().iter().map(|ids| engine.ask(request(ids, None, 8)).unwrap()).collect();
    engine.close();
    assert_eq!(engine.ask(request(&[1], None, 1)).err(), Some(Refused::Closed));
    let answers: Vec<(Vec<u32>, bool)> = asked.iter().map(heard).collect();
    assert_eq!(answers, generated(&model(), 8));
    // One that is dropped does not, and nobody waits for ever.
    let engine = Engine::start(endless(), Vec::new(), LIMITS).unwrap();
    let answering = engine.ask(unstopped(&[1], engine.room(1))).unwrap();
    let room = engine.room(1);
    drop(engine);
    let told = std::iter::from_fn(|| answering.next()).count();
    assert!(told < room, "{told} tokens of {room}");
}

#[test]
fn what_cannot_be_answered_is_refused_before_it_meets_others() {
    let limits = Limits { cache_bytes: 1 << 15, ..LIMITS };
    let engine = Engine::start(model(), Vec::new(), limits).unwrap();
    let refused = |request: Request| engine.ask(request).err().map(|refused| refused.to_string()).unwrap();
    let vocabulary = model().config().vocab_size;
    assert_eq!(
        refused(request(&[1, vocabulary as u32], None, 1)),
        format!("token {vocabulary} is outside of the model's vocabulary of {vocabulary}")
    );
    assert_eq!(
        refused(request(&[PICTURE + 3], None, 1)),
        "row 3 of a picture is asked for, and 0 rows are shown"
    );
    let empty = "a prompt of at least one token and an answer length of at least 1 are needed";
    assert_eq!(refused(request(&[], None, 1)), empty);
    assert_eq!(refused(request(&[1], None, 0)), empty);
    assert_eq!(refused(request(&[1], Some(0), 1)), "adapter 0 is asked for, and there are 0");
    let room = model().config().max_position_embeddings;
    assert_eq!(
        refused(request(&[1], None, room)),
        format!(
            "the prompt has 1 tokens and the answer may have {room}, and the model reads {room} together"
        )
    );
    let penalty = AnswerConfig { repetition_penalty: 0.0, ..config(1) };
    assert_eq!(
        refused(Request { config: penalty, ..request(&[1], None, 1) }),
        "repetition_penalty is 0, expected a number above 0; 1 is no penalty"
    );
    let (per_token, fits) = (engine.bytes_per_token(), engine.room(1));
    assert_eq!(fits, (1 << 15) / per_token - 1);
    assert_eq!(
        refused(request(&[1], None, fits + 1)),
        format!(
            "the request takes {} bytes of keys and values, and all together may take 32768; ask for fewer tokens",
            (fits + 2) * per_token
        )
    );
    assert!(engine.ask(request(&[1], None, fits)).is_ok());
    let none = Limits { running: 0, ..LIMITS };
    assert_eq!(
        Engine::start(model(), Vec::new(), none).err().unwrap().to_string(),
        "an engine needs room for at least one answer under way, one request waiting and one token read"
    );
}

#[test]
fn a_conversation_that_goes_on_is_read_from_where_it_was() {
    let alone = |ids: &[u32]| heard(&engine(LIMITS).ask(unstopped(ids, 10)).unwrap()).0;
    let asked: Vec<u32> = (0..40).map(|place| 6 + place % 20).collect();
    let engine = engine(LIMITS);
    let (said, _) = heard(&engine.ask(unstopped(&asked, 10)).unwrap());
    assert_eq!(said, alone(&asked));
    // The last token was said, but not read.
    let longer = [&asked[..], &said, &[9, 10, 11]].concat();
    let read = asked.len() + said.len() - 1;
    let answering = engine.ask(unstopped(&longer, 10)).unwrap();
    assert_eq!(heard(&answering).0, alone(&longer));
    assert_eq!((engine.figures().reused_tokens, answering.reused()), (read as u64, read));
    // Of another beginning nothing is taken, nor by an adapter, whose keys are others.
    let other: Vec<u32> = longer.iter().rev().copied().collect();
    let answering = engine.ask(unstopped(&other, 10)).unwrap();
    assert_eq!(heard(&answering).0, alone(&other));
    assert_eq!((engine.figures().reused_tokens, answering.reused()), (read as u64, 0));
    engine.close();
    let found = settled(&engine);
    assert_eq!(found.prompt_tokens, (asked.len() + longer.len() - read + other.len()) as u64);
    assert!(found.kept_bytes > 0 && found.cache_bytes == 0, "{found:?}");
}

#[test]
fn what_is_kept_leaves_room_for_what_is_asked() {
    let tokens = 60;
    let bytes = tokens * engine(LIMITS).bytes_per_token();
    let engine = engine(Limits { cache_bytes: bytes, ..LIMITS });
    for first in 6..12 {
        let asked: Vec<u32> = (0..40).map(|place| first + place % 20).collect();
        heard(&engine.ask(unstopped(&asked, 20)).unwrap());
        let found = engine.figures();
        assert!(found.kept_bytes + found.cache_bytes <= bytes, "{found:?}");
    }
}

fn engine(limits: Limits) -> Engine {
    Engine::start(model(), Vec::new(), limits).unwrap()
}
