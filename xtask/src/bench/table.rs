//! What was measured, as a table for people.

use super::Options;
use super::contest::Way;
use super::ground::Round;
use crate::server::MINIO_URL;

/// All ways, their medians, and how they compare with ours.
pub(super) fn render(results: &[(&Way, Vec<Round>)], facts: &str, options: &Options) -> String {
    let ours = results.iter().find(|(way, _)| way.key == "ours");
    let base = |of: &dyn Fn(&Round) -> f64| ours.map_or(f64::NAN, |(_, rounds)| median(rounds, of));
    let (base_backup, base_restore) = (base(&|it| it.backup.wall), base(&|it| it.restores[0]));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let settings = options.settings.join(" ");
    let mut text = format!(
        "{facts}; {cores} cores shared by server, MinIO ({MINIO_URL}) and tool; median of {}; ours with PARALLELISM={} {settings}\n\n\
         | way | backup | ratio | CPU of tool | CPU of server | peak memory | temporary disk | stored | restore | ratio |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        options.runs, options.parallelism,
    );
    for (way, rounds) in results {
        let figure = |of: &dyn Fn(&Round) -> f64| median(rounds, of);
        let backup = figure(&|it| it.backup.wall);
        let restores: Vec<_> = (0..way.restore.len())
            .map(|at| figure(&|it| it.restores[at]))
            .collect();
        let list = |show: &dyn Fn(usize, f64) -> String| {
            restores
                .iter()
                .enumerate()
                .map(|(at, wall)| show(at, *wall))
                .collect::<Vec<_>>()
                .join("; ")
        };
        text += &format!(
            "| {} | {backup:.1} s | {} | {:.1} s | {:.1} s | {:.0} MiB | {:.0} MB | {:.0} MB | {} | {} |\n",
            way.name,
            ratio(backup / base_backup),
            figure(&|it| it.backup.cpu),
            figure(&|it| it.server_cpu),
            figure(&|it| it.backup.peak_bytes as f64) / f64::from(1 << 20),
            figure(&|it| it.temp_bytes as f64) / 1e6,
            figure(&|it| it.stored_bytes as f64) / 1e6,
            list(&|at, wall| format!("{wall:.1} s ({})", way.restore[at].0)),
            list(&|_, wall| ratio(wall / base_restore)),
        );
    }
    text + "\nRatios are to ours (restore: without checks). CPU is the container's control group's, sampled 20 times a \
            second, as is peak memory: the sum of its processes' proportional set sizes.\n"
}

fn ratio(value: f64) -> String {
    if value.is_nan() {
        "–".into()
    } else {
        format!("{value:.2}")
    }
}

fn median(rounds: &[Round], of: &dyn Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<_> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
