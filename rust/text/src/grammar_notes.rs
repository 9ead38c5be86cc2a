//! The annotations of a schema, which are not enforced (2020-12, section 7.2.3: an unknown format).

const MAX_NOTES: usize = 16;
const MAX_CHARACTERS: usize = 400;

#[derive(Default)]
pub struct Notes {
    /// What each is about, and its text.
    all: Vec<(String, String)>,
    /// Beyond the limit there are more.
    more: bool,
}

impl Notes {
    /// Once for each subject: the first text stands.
    pub fn add(&mut self, subject: &str, text: String) {
        if self.all.iter().any(|(other, _)| other == subject) {
            return;
        }
        if self.all.len() == MAX_NOTES {
            self.more = true;
            return;
        }
        self.all.push((subject.to_owned(), text.chars().take(MAX_CHARACTERS).collect()));
    }

    pub fn into_texts(self) -> Vec<String> {
        let mut texts: Vec<String> = self.all.into_iter().map(|(_, text)| text).collect();
        if self.more {
            texts.push("JSON schema: further formats were not enforced".to_owned());
        }
        texts
    }
}
