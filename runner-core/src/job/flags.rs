//! The command line, built from the keys: each has a flag, and the flag wins.

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::EngineFacts;
use crate::env::{Group, Key, keys};

/// What the command line says.
pub(super) enum Parsed {
    Flags(Flags),
    /// `--help` or `--version`.
    Print(String),
}

#[derive(Default)]
pub(super) struct Flags {
    /// Under the names of their variables.
    pub(super) values: Vec<(String, OsString)>,
    pub(super) problems: Vec<String>,
}

/// Positional arguments, and the keys that they are another way to write.
const POSITIONALS: [(&str, &str, &str); 2] = [
    (
        "OPERATION",
        "OPERATION_TYPE",
        "What to do [env: OPERATION_TYPE] [default: backup]",
    ),
    (
        "PATH",
        "BACKUP_PATH",
        "The backup that restore, verify, show and delete are about [env: BACKUP_PATH]",
    ),
];

pub(super) fn parse(
    facts: &EngineFacts,
    groups: &[Group],
    args: impl IntoIterator<Item = OsString>,
) -> Parsed {
    let args = args.into_iter().collect::<Vec<_>>();
    let err = match command(facts, groups).try_get_matches_from(&args) {
        Ok(matches) => return Parsed::Flags(read(&matches, groups)),
        Err(err) => err,
    };
    if let ErrorKind::DisplayHelp | ErrorKind::DisplayVersion = err.kind() {
        return Parsed::Print(err.render().to_string());
    }
    // What is understood still counts, so that other problems are told in the same run.
    let lenient = command(facts, groups).ignore_errors(true);
    let mut flags = lenient
        .try_get_matches_from(&args)
        .map_or_else(|_| Flags::default(), |matches| read(&matches, groups));
    flags.problems.push(problem(&err));
    Parsed::Flags(flags)
}

fn command(facts: &EngineFacts, groups: &[Group]) -> Command {
    let positionals = POSITIONALS.map(|(id, _, help)| {
        Arg::new(id)
            .value_parser(ValueParser::os_string())
            .help(help)
    });
    let flags = groups.iter().flat_map(|group| {
        group
            .keys
            .iter()
            .map(|key| flag(key).help_heading(group.title))
    });
    Command::new(format!("{}-runner", facts.name))
        .version(env!("CARGO_PKG_VERSION"))
        .about(format!(
            "Backs up a {} database, and proves that the backup restores",
            facts.name
        ))
        .after_help(
            "Every flag has a variable of the environment, and the flag wins.\n\
             A secret comes in its variable, or in a file that its *_FILE twin or flag names.\n\
             Logs go to stderr. Exit codes: 0 done; 1 a person must act; 75 a retry may help;\n\
             143 or 130 ended by a signal.",
        )
        .args(positionals)
        .args(flags)
}

fn flag(key: &'static Key) -> Arg {
    let name = key.file_twin().unwrap_or_else(|| key.name.to_owned());
    let default = match key.default {
        "" => String::new(),
        default => format!(" [default: {default}]"),
    };
    let (help, value) = match key.secret {
        true => (
            format!(
                "File that holds this: {} [env: {name}, or {}]{default}",
                key.help, key.name
            ),
            "FILE",
        ),
        false => (format!("{} [env: {name}]{default}", key.help), "VALUE"),
    };
    let arg = Arg::new(name.clone())
        .long(name.to_ascii_lowercase().replace('_', "-"))
        .value_name(value)
        .value_parser(ValueParser::os_string())
        .action(ArgAction::Set)
        .help(help);
    match key.is_switch() {
        // With `=` only: in `--json show` the next word is not the switch's value.
        true => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        false => arg,
    }
}

fn read(matches: &ArgMatches, groups: &[Group]) -> Flags {
    let mut flags = Flags::default();
    for key in keys(groups) {
        let id = key.file_twin().unwrap_or_else(|| key.name.to_owned());
        if let Some(value) = matches.get_one::<OsString>(&id) {
            flags.values.push((id, value.clone()));
        }
    }
    for (id, key, _) in POSITIONALS {
        let Some(value) = matches.get_one::<OsString>(id) else {
            continue;
        };
        if flags.values.iter().any(|(name, _)| name == key) {
            let flag = key.to_ascii_lowercase().replace('_', "-");
            flags
                .problems
                .push(format!("{id} and --{flag} are both given; keep one"));
        }
        flags.values.push((key.to_owned(), value.clone()));
    }
    flags
}

/// Clap's own words without its usage text; it names the argument, never the argument's value.
fn problem(err: &clap::Error) -> String {
    let argument = match err.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.as_str(),
        _ => "the command line",
    };
    let hint = match err.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(suggested)) => format!("; did you mean {suggested}?"),
        _ => "; --help lists what is understood".to_owned(),
    };
    let what = match err.kind() {
        ErrorKind::UnknownArgument => "is not understood",
        ErrorKind::InvalidValue | ErrorKind::TooFewValues => "needs a value",
        ErrorKind::ArgumentConflict => "is given more than once",
        ErrorKind::NoEquals => "takes its value after an equals sign",
        _ => "is not as expected",
    };
    format!("{argument} {what}{hint}")
}
