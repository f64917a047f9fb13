//! The report as a page that people read, print and sign: Japanese first, English second.
//!
//! One file without scripts, fonts or links, so that it looks the same in ten years and on a machine without a network.
//! Every text of the definition is escaped: a candidate's name is input.

use std::fmt::Write as _;

use crate::definition::Texts;
use crate::report::{ContestReport, KioskReport, Report, first_text, second_text};
use crate::results::date;

const STYLE: &str = "\
:root{color-scheme:light}
body{font-family:'Noto Sans JP','Hiragino Sans','Yu Gothic',Meiryo,sans-serif;color:#111;background:#fff;max-width:60rem;margin:2rem auto;padding:0 1rem;line-height:1.5}
h1{font-size:1.7rem;margin:0 0 .2rem}h2{font-size:1.25rem;margin:2.2rem 0 .4rem;border-bottom:2px solid #111}h3{font-size:1.05rem;margin:1.4rem 0 .3rem}
.en{color:#444;font-size:.85em;display:block}
table{border-collapse:collapse;width:100%;margin:.5rem 0}th,td{border:1px solid #666;padding:.35rem .5rem;text-align:left;vertical-align:top}
th{background:#eee}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.blank{min-width:4.5rem}
tr.sum td{font-weight:bold;border-top:2px solid #111}
.note{background:#f4f4f4;border-left:4px solid #111;padding:.5rem .8rem;margin:.8rem 0}
.words{font-family:ui-monospace,Consolas,monospace;font-size:.85em}
.sign td{height:3rem}
@page{size:A4;margin:15mm}
@media print{body{margin:0;max-width:none}h2,h3{break-after:avoid}table,tr{break-inside:avoid}th{background:none}}
";

/// The whole page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let title = first_text(&report.name);
    // Writing to a String cannot fail; the results of write! below are dropped for that reason.
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"ja\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{} 開票結果</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{}</h1>\n",
        escape(title),
        both(&report.name)
    );
    let _ = writeln!(
        out,
        "<p>{}<span class=\"en\">{}</span></p>",
        escape(&format!(
            "開票結果(投票端末分)  投票期間 {}〜{}  作成 {}",
            date(report.first_day),
            date(report.last_day),
            report.generated
        )),
        escape(&format!(
            "Results of the kiosks. Voting {} to {}. Made {}.",
            date(report.first_day),
            date(report.last_day),
            report.generated
        ))
    );
    notes(&mut out, report);
    out.push_str("<h2>結果<span class=\"en\">Results</span></h2>\n");
    for contest in &report.contests {
        contest_table(&mut out, contest);
    }
    summary(&mut out, report);
    kiosks(&mut out, report);
    closing_words(&mut out, report);
    paper(&mut out, report);
    provenance(&mut out, report);
    out.push_str("</body>\n</html>\n");
    out
}

fn contest_table(out: &mut String, contest: &ContestReport) {
    let _ = writeln!(out, "<h3>{}</h3>", both(&contest.name));
    if contest.votes > 1 {
        let _ = writeln!(
            out,
            "<p>{}つまで選ぶ<span class=\"en\">Choose up to {}</span></p>",
            contest.votes, contest.votes
        );
    }
    out.push_str("<table>\n<tr><th>選択肢<span class=\"en\">Option</span></th><th class=\"n\">票<span class=\"en\">Votes</span></th></tr>\n");
    for option in &contest.options {
        let party = if option.party.is_empty() {
            String::new()
        } else {
            format!("<span class=\"en\">{}</span>", both(&option.party))
        };
        let _ = writeln!(
            out,
            "<tr><td>{}{party}</td><td class=\"n\">{}</td></tr>",
            both(&option.name),
            option.total
        );
    }
    row(
        out,
        "",
        "投票しない(使われなかった票)",
        "No vote (votes not used)",
        contest.no_votes,
    );
    row(
        out,
        "sum",
        "この項目のある投票用紙",
        "Ballots with this contest",
        u64::from(contest.ballots),
    );
    out.push_str("</table>\n");
}

fn notes(out: &mut String, report: &Report) {
    let _ = writeln!(
        out,
        "<p class=\"note\">票数は全投票所の合計だけを示し、{0} 票に満たない集まりの票数は示さない。二つの集計の差も小さな集まりの票数になるので、\
         鍵の保持者は一つの選挙で一度の集計だけを復号し、ほかの集計には応じない。<span class=\"en\">Votes are given only as sums over all \
         stations, never for groups below {0} ballots. The difference of two counts is the count of the ballots in which they differ: so each \
         trustee decrypts one count of an election, and no second one.</span></p>",
        report.small_group
    );
    for station in report.stations.iter().filter(|station| station.below_small_group) {
        let _ = writeln!(
            out,
            "<p class=\"note\">投票所 {0} の投票は {1} 票で、{2} 票に満たない。結果は全投票所の合計としてのみ示す。\
             <span class=\"en\">Station {0} recorded {1} ballots, fewer than {2}. Results are given only as sums over all stations.</span></p>",
            station.station, station.recorded, report.small_group
        );
    }
    let duplicates: Vec<&KioskReport> = report.kiosks.iter().filter(|kiosk| kiosk.duplicates > 0).collect();
    for kiosk in duplicates {
        let _ = writeln!(
            out,
            "<p class=\"note\">投票所 {0} の端末 {1}: 同じカードによる二重の投票 {2} 票を数えていない。\
             <span class=\"en\">Station {0}, kiosk {1}: {2} second votes of a card were not counted.</span></p>",
            kiosk.station,
            short(&kiosk.kiosk),
            kiosk.duplicates
        );
    }
    if report.ballots.late > 0 {
        let _ = writeln!(
            out,
            "<p class=\"note\">締切の記録にない投票 {0} 票を数えていない。<span class=\"en\">{0} ballots on media are in no closing set and were not counted.</span></p>",
            report.ballots.late
        );
    }
}

fn summary(out: &mut String, report: &Report) {
    out.push_str("<h2>投票の集計<span class=\"en\">Ballots</span></h2>\n<table>\n");
    let b = &report.ballots;
    for (ja, en, value) in [
        ("受け付けたカード", "Cards admitted", b.admitted),
        ("記録された投票", "Recorded ballots", b.recorded),
        ("途中でやめた", "Abandoned", b.abandoned),
        ("電源断などで中断", "Interrupted by a power cut or fault", b.interrupted),
        ("確認のために開いた(無効)", "Spoiled: opened for checking", b.spoiled),
        ("読めなかった記録欄", "Void: slots that could not be read", b.void),
        ("二重投票(数えない)", "Duplicates, not counted", b.duplicates),
        (
            "後の投票で置き換え(数えない)",
            "Overwritten by a later vote, not counted",
            b.overwritten,
        ),
        ("締切の記録にない(数えない)", "In no closing set, not counted", b.late),
    ] {
        row(out, "", ja, en, u64::from(value));
    }
    row(out, "sum", "数えた投票", "Counted ballots", u64::from(b.counted));
    let reissued = report
        .reissued
        .map_or_else(|| "—".to_owned(), |count| count.to_string());
    let _ = writeln!(
        out,
        "<tr><td>再発行カードによる受付<span class=\"en\">Admissions with a reissued card</span></td><td class=\"n\">{reissued}</td></tr>\n</table>"
    );
}

fn kiosks(out: &mut String, report: &Report) {
    out.push_str(
        "<h2>端末ごと<span class=\"en\">By kiosk</span></h2>\n<table>\n<tr><th>投票所<span class=\"en\">Station</span></th>\
         <th>端末<span class=\"en\">Kiosk</span></th><th>期間<span class=\"en\">Period</span></th>\
         <th class=\"n\">受付<span class=\"en\">Admitted</span></th><th class=\"n\">記録<span class=\"en\">Recorded</span></th>\
         <th class=\"n\">放棄<span class=\"en\">Abandoned</span></th><th class=\"n\">中断<span class=\"en\">Interrupted</span></th>\
         <th class=\"n\">確認<span class=\"en\">Spoiled</span></th><th class=\"n\">数えた<span class=\"en\">Counted</span></th>\
         <th class=\"n\">二重<span class=\"en\">Duplicates</span></th><th class=\"n\">置換<span class=\"en\">Overwritten</span></th>\
         <th class=\"n\">複製から<span class=\"en\">From duplicate</span></th></tr>\n",
    );
    for kiosk in &report.kiosks {
        let epoch = report
            .epochs
            .get(usize::from(kiosk.epoch))
            .map(both)
            .unwrap_or_default();
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"words\">{}</td><td>{epoch}</td>",
            kiosk.station,
            short(&kiosk.kiosk)
        );
        for value in [
            kiosk.admitted,
            kiosk.recorded,
            kiosk.abandoned,
            kiosk.interrupted,
            kiosk.spoiled,
            kiosk.counted,
            kiosk.duplicates,
            kiosk.overwritten,
            kiosk.from_duplicate,
        ] {
            let _ = write!(out, "<td class=\"n\">{value}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

fn closing_words(out: &mut String, report: &Report) {
    out.push_str(
        "<h2>締切の言葉<span class=\"en\">Closing words, to compare with what witnesses wrote down</span></h2>\n<table>\n\
         <tr><th>投票所<span class=\"en\">Station</span></th><th>端末<span class=\"en\">Kiosk</span></th><th>言葉<span class=\"en\">Words</span></th></tr>\n",
    );
    for kiosk in &report.kiosks {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"words\">{}</td><td class=\"words\">{}</td></tr>",
            kiosk.station,
            short(&kiosk.kiosk),
            escape(&kiosk.words)
        );
    }
    out.push_str("</table>\n");
}

/// Requirement A15: paper stands beside the kiosk, and its counts are added by hand.
fn paper(out: &mut String, report: &Report) {
    out.push_str(
        "<h2>紙の投票を加える<span class=\"en\">Adding the paper channels</span></h2>\n\
         <p>空欄に手で書き入れる。<span class=\"en\">The empty boxes are filled in by hand.</span></p>\n",
    );
    for contest in &report.contests {
        let _ = writeln!(out, "<h3>{}</h3>", both(&contest.name));
        out.push_str(
            "<table>\n<tr><th>選択肢<span class=\"en\">Option</span></th><th class=\"n\">端末<span class=\"en\">Kiosks</span></th>\
             <th>不在者<span class=\"en\">Absentee</span></th><th>点字<span class=\"en\">Braille</span></th>\
             <th>仮投票<span class=\"en\">Provisional</span></th><th>合計<span class=\"en\">Total</span></th></tr>\n",
        );
        for option in &contest.options {
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"blank\"></td><td class=\"blank\"></td><td class=\"blank\"></td><td class=\"blank\"></td></tr>",
                both(&option.name),
                option.total
            );
        }
        out.push_str("</table>\n");
    }
}

fn provenance(out: &mut String, report: &Report) {
    out.push_str("<h2>確かめるために<span class=\"en\">For checking</span></h2>\n<table>\n");
    for (ja, en, value) in [
        ("選挙のハッシュ", "Election hash", report.election.clone()),
        ("方式", "Mode and policy", format!("{}, {}", report.mode, report.policy)),
        (
            "チェーン",
            "Chain",
            format!(
                "{} blocks, {} batches, {} validators",
                report.chain_height, report.batches, report.validators
            ),
        ),
        (
            "復号した鍵の保持者",
            "Trustees who decrypted",
            format!("{} / {}", report.trustees.join(", "), report.trustees_total),
        ),
    ] {
        let _ = writeln!(
            out,
            "<tr><td>{ja}<span class=\"en\">{en}</span></td><td class=\"words\">{}</td></tr>",
            escape(&value)
        );
    }
    out.push_str(
        "</table>\n<h2>立会人<span class=\"en\">Witnesses</span></h2>\n<table class=\"sign\">\n\
         <tr><th>氏名<span class=\"en\">Name</span></th><th>署名<span class=\"en\">Signature</span></th><th>日時<span class=\"en\">Date and time</span></th></tr>\n\
         <tr><td></td><td></td><td></td></tr>\n<tr><td></td><td></td><td></td></tr>\n<tr><td></td><td></td><td></td></tr>\n</table>\n",
    );
}

fn row(out: &mut String, class: &str, ja: &str, en: &str, value: u64) {
    let class = if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    };
    let _ = writeln!(
        out,
        "<tr{class}><td>{ja}<span class=\"en\">{en}</span></td><td class=\"n\">{value}</td></tr>"
    );
}

/// First and second language.
fn both(texts: &Texts) -> String {
    match second_text(texts) {
        Some(second) => format!(
            "{}<span class=\"en\">{}</span>",
            escape(first_text(texts)),
            escape(second)
        ),
        None => escape(first_text(texts)),
    }
}

fn short(kiosk: &str) -> &str {
    kiosk.get(..12).unwrap_or(kiosk)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
