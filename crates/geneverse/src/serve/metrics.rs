//! `/metrics`: what the server has done, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use geneverse_model::serving::Figures;

use super::unpoisoned;

/// Upper ends of the classes of times, in seconds.
const CLASSES: [f64; 10] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// Requests that were answered, and how long that took.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<(&'static str, u16), Times>>);

#[derive(Default)]
struct Times {
    classes: [u64; CLASSES.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    /// Counts a request by its route and status.
    pub(crate) fn count(&self, route: &'static str, status: u16, time: Duration) {
        let mut all = unpoisoned(self.0.lock());
        let times = all.entry((route, status)).or_default();
        let seconds = time.as_secs_f64();
        for (class, end) in times.classes.iter_mut().zip(CLASSES) {
            *class += u64::from(seconds <= end);
        }
        times.count += 1;
        times.seconds += seconds;
    }

    /// All of it as text.
    pub(crate) fn text(&self, figures: &Figures) -> String {
        let Figures {
            waiting,
            running,
            cache_bytes,
            kept_bytes,
            asked,
            finished,
            cancelled,
            failed,
            prompt_tokens,
            reused_tokens,
            answer_tokens,
            steps,
        } = *figures;
        let mut text = String::new();
        let gauges: [(&str, &str, u64); 4] = [
            ("requests_waiting", "Requests that wait for their turn", waiting as u64),
            ("requests_running", "Answers under way", running as u64),
            ("cache_bytes", "Bytes of keys and values set aside for them", cache_bytes as u64),
            ("kept_bytes", "Bytes of keys and values kept of answers that are over", kept_bytes as u64),
        ];
        let counters: [(&str, &str, u64); 8] = [
            ("requests_asked_total", "Requests taken on", asked),
            ("requests_finished_total", "Answers finished", finished),
            ("requests_cancelled_total", "Answers nobody listened to any more", cancelled),
            ("requests_failed_total", "Answers that could not be made", failed),
            ("prompt_tokens_total", "Tokens of prompts read", prompt_tokens),
            ("reused_tokens_total", "Tokens of prompts that had been read before", reused_tokens),
            ("answer_tokens_total", "Tokens of answers", answer_tokens),
            ("steps_total", "Passes that gave every answer under way a token", steps),
        ];
        for (kind, all) in [("gauge", &gauges[..]), ("counter", &counters[..])] {
            for (name, help, value) in all {
                let _ = write!(
                    text,
                    "# HELP geneverse_{name} {help}\n# TYPE geneverse_{name} {kind}\ngeneverse_{name} {value}\n"
                );
            }
        }
        let name = "geneverse_http_request_seconds";
        let _ = write!(text, "# HELP {name} Time of HTTP requests\n# TYPE {name} histogram\n");
        for ((route, status), Times { classes, count, seconds }) in unpoisoned(self.0.lock()).iter() {
            let labels = format!("route=\"{route}\",status=\"{status}\"");
            for (class, end) in classes.iter().zip(CLASSES) {
                let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{end}\"}} {class}");
            }
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
            let _ = writeln!(text, "{name}_sum{{{labels}}} {seconds}");
            let _ = writeln!(text, "{name}_count{{{labels}}} {count}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_in_classes_that_hold_those_below() {
        let metrics = Metrics::default();
        metrics.count("/healthz", 200, Duration::from_millis(20));
        metrics.count("/healthz", 200, Duration::from_secs(400));
        let text = metrics.text(&Figures { running: 3, answer_tokens: 7, ..Figures::default() });
        assert!(text.contains("# TYPE geneverse_requests_running gauge\ngeneverse_requests_running 3\n"));
        assert!(
            text.contains("# TYPE geneverse_answer_tokens_total counter\ngeneverse_answer_tokens_total 7\n")
        );
        let of = "geneverse_http_request_seconds";
        let labels = "route=\"/healthz\",status=\"200\"";
        for (le, count) in [("0.005", 0), ("0.025", 1), ("120", 1), ("+Inf", 2)] {
            assert!(text.contains(&format!("{of}_bucket{{{labels},le=\"{le}\"}} {count}\n")), "{le}: {text}");
        }
        assert!(text.contains(&format!("{of}_sum{{{labels}}} 400.02\n")));
    }
}
