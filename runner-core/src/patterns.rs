//! `INCLUDE_TABLES` and its kin: comma-separated patterns such as `public.orders,audit.*`.

#[cfg(test)]
mod tests;

/// A list of patterns; a name matches when any pattern does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// As it was written, for messages.
    text: String,
    /// Begins with `*.` where the pattern has no dot of its own.
    tokens: Vec<Token>,
    is_dotted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Run,
    One,
    Literal(char),
}

impl Patterns {
    /// Parses a comma-separated list. `*` matches any run of characters, `?` one; a pattern without a dot
    /// matches the last component of a dotted name (`orders` is `*.orders`). A backslash takes the next
    /// character as it is, so that a name may hold a comma, a star or a dot of its own.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        split(text)?
            .into_iter()
            .map(Pattern::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn matches(&self, name: &str) -> bool {
        let name = name.chars().collect::<Vec<_>>();
        self.0.iter().any(|pattern| pattern.matches(&name))
    }

    /// As [`Patterns::matches`], for names in which a dot means nothing: each pattern stands for the whole name.
    pub fn matches_whole(&self, name: &str) -> bool {
        let name = name.chars().collect::<Vec<_>>();
        self.0.iter().any(|pattern| glob(pattern.own(), &name))
    }

    /// The patterns that match none of `names`, for the error that names them.
    pub fn unmatched<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
        let matches_one = |pattern: &Pattern| {
            let mut names = names.clone();
            names.any(|name| pattern.matches(&name.chars().collect::<Vec<_>>()))
        };
        self.0
            .iter()
            .filter(|pattern| !matches_one(pattern))
            .map(|pattern| pattern.text.clone())
            .collect()
    }
}

/// Cuts at commas that no backslash protects.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let mut items = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == ',' && !escaped {
            items.push(&text[start..at]);
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    if escaped {
        return Err("ends with a backslash that protects nothing".to_owned());
    }
    items.push(&text[start..]);
    Ok(items)
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        // The blank of `a\ ` is protected, that of `a ` is not.
        let mut text = text.trim_start();
        while text.ends_with(char::is_whitespace) && !text.trim_end().ends_with('\\') {
            text = text.trim_end();
        }
        if text.is_empty() {
            return Err("has an empty pattern between its commas".to_owned());
        }
        let mut tokens = Vec::new();
        let mut dotted = false;
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Run,
                '?' => Token::One,
                '\\' => Token::Literal(chars.next().unwrap_or('\\')),
                _ => Token::Literal(c),
            });
            dotted |= c == '.';
        }
        if !dotted {
            tokens.splice(0..0, [Token::Run, Token::Literal('.')]);
        }
        let text = text.to_owned();
        Ok(Self {
            text,
            tokens,
            is_dotted: dotted,
        })
    }

    /// The tokens that were written.
    fn own(&self) -> &[Token] {
        match self.is_dotted {
            true => &self.tokens,
            false => self.tokens.get(2..).unwrap_or_default(),
        }
    }

    fn matches(&self, name: &[char]) -> bool {
        // `orders` stands for `*.orders`, and for a whole name that has no dot.
        let undotted = self.tokens.get(2..).filter(|_| {
            self.tokens.starts_with(&[Token::Run, Token::Literal('.')]) && !name.contains(&'.')
        });
        glob(&self.tokens, name) || undotted.is_some_and(|tokens| glob(tokens, name))
    }
}

/// Linear but for stars: on a mismatch, the last star takes one character more.
fn glob(tokens: &[Token], name: &[char]) -> bool {
    let (mut t, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match tokens.get(t) {
            Some(Token::Run) => {
                star = Some((t, n));
                t += 1;
            }
            Some(Token::One) => (t, n) = (t + 1, n + 1),
            Some(Token::Literal(c)) if *c == name[n] => (t, n) = (t + 1, n + 1),
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                (t, n) = (at + 1, taken + 1);
            }
        }
    }
    tokens[t..].iter().all(|token| *token == Token::Run)
}
