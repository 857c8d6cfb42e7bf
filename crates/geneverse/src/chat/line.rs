//! A line that a person types: a command after a slash, or a question.

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// An empty one.
    Nothing,
    /// To be asked as it stands.
    Question(String),
    /// Of a gene.
    Gene(String),
    /// Of a protein, by the file of its structure or of a picture.
    Protein(String),
    /// Of a gene and a type of cells.
    Marker {
        /// The gene.
        gene: String,
        /// The file of the picture.
        picture: String,
        /// The type, which may be several words.
        cell_type: String,
    },
    /// What the last answer rests on.
    Sources,
    /// Write the conversation into a file.
    Save(String),
    /// Forget it.
    Clear,
    /// Tell what there is.
    Help,
    /// Go.
    Quit,
    /// It cannot be understood, and why.
    Wrong(String),
}

/// The commands, with a blank where something follows.
pub(super) const COMMANDS: [&str; 8] =
    ["/clear", "/gene ", "/help", "/marker ", "/protein ", "/quit", "/save ", "/sources"];

impl Line {
    /// Reads a line.
    pub(crate) fn parse(line: &str) -> Self {
        let line = line.trim();
        let Some(command) = line.strip_prefix('/') else {
            return if line.is_empty() { Self::Nothing } else { Self::Question(line.to_owned()) };
        };
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let rest = rest.trim();
        let one = |make: fn(String) -> Self, usage: &str| match rest {
            "" => Self::Wrong(format!("expected {usage}")),
            rest => make(rest.to_owned()),
        };
        match name {
            "gene" => one(Self::Gene, "/gene SYMBOL, such as /gene GLI1"),
            "protein" => one(Self::Protein, "/protein FILE, such as /protein AF-P08151-F1.cif"),
            "save" => one(Self::Save, "/save FILE, such as /save talk.md"),
            "marker" => {
                let mut parts = rest.splitn(3, char::is_whitespace).map(str::trim);
                match (parts.next(), parts.next(), parts.next()) {
                    (Some(gene), Some(picture), Some(cell_type)) if !cell_type.is_empty() => Self::Marker {
                        gene: gene.to_owned(),
                        picture: picture.to_owned(),
                        cell_type: cell_type.to_owned(),
                    },
                    _ => Self::Wrong(
                        "expected /marker GENE PICTURE CELL TYPE, such as /marker KDR kdr.png STAB2+ Endothelial"
                            .to_owned(),
                    ),
                }
            }
            "sources" => Self::Sources,
            "clear" => Self::Clear,
            "help" | "?" => Self::Help,
            "quit" | "exit" | "q" => Self::Quit,
            _ => Self::Wrong(format!("there is no /{name}; /help lists what there is")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_questions() {
        let parse = Line::parse;
        assert_eq!(parse("  "), Line::Nothing);
        assert_eq!(parse("What is 1/2?"), Line::Question("What is 1/2?".into()));
        assert_eq!(parse("/gene  GLI1 "), Line::Gene("GLI1".into()));
        assert_eq!(parse("/protein my file.pdb"), Line::Protein("my file.pdb".into()));
        let (gene, picture, cell_type) = ("KDR".into(), "a.png".into(), "STAB2+ Endothelial".into());
        assert_eq!(parse("/marker KDR a.png STAB2+ Endothelial"), Line::Marker { gene, picture, cell_type });
        assert_eq!([parse("/q"), parse("/?"), parse("/sources")], [Line::Quit, Line::Help, Line::Sources]);
        let wrong = |line: &str| match parse(line) {
            Line::Wrong(why) => why,
            other => panic!("{other:?}"),
        };
        for command in COMMANDS {
            let takes = matches!(parse(command), Line::Wrong(why) if why.starts_with("expected "));
            assert_eq!(takes, command.ends_with(' '), "{command}");
        }
        assert_eq!(wrong("/gene"), "expected /gene SYMBOL, such as /gene GLI1");
        assert_eq!(wrong("/genes GLI1"), "there is no /genes; /help lists what there is");
        assert!(wrong("/marker KDR a.png").starts_with("expected /marker GENE PICTURE CELL TYPE"));
    }
}
