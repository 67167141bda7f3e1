import UnderstudyStreaming

private func two(_ number: UInt64, _ suffix: String = "") -> String { file(number, suffix, timeline: 2) }

extension SurveyCase {
    /// The fork of most of these is in the middle of segment 3, at offset 327680.
    static let promotions = followed + forkedBelow + otherBranches + lostHistories

    private static let followed = [
        SurveyCase(
            testDescription: "promotion that was followed",
            files: [file(2), file(3, ".partial@327680"), two(3, ".partial@400000")],
            kept: [(2, "", [1: 0x350000])], timeline: 2, forks: [1: 0x350000], next: position(2, 0x300000)),
        SurveyCase(
            testDescription: "promotion that was followed for a while",
            files: [file(2), file(3, ".partial@327680"), two(3), two(4)],
            kept: [(2, ".gz", [1: 0x350000])], timeline: 2, forks: [1: 0x350000], next: position(2, 0x500000)),
        SurveyCase(
            testDescription: "promotion that is to be followed", files: [file(2), file(3, ".partial@327680")],
            timeline: 2, forks: [1: 0x350000], next: position(1, 0x300000)),
        SurveyCase(
            testDescription: "promotion further on", files: [file(2), file(3)], timeline: 2, forks: [1: 0x950000],
            next: position(1, 0x400000)),
        SurveyCase(
            testDescription: "promotions further on", files: [file(2), two(3, ".partial@5000")], timeline: 4,
            forks: [1: 0x290000, 2: 0x350000, 3: 0x360000], next: position(2, 0x300000),
            // That of timeline 2 up to the end of segment 2.
            missing: 1),
        SurveyCase(
            testDescription: "promotion where a segment ends", files: [file(2), file(3)], timeline: 2,
            forks: [1: 0x400000], next: position(1, 0x400000)),
    ]

    private static let forkedBelow =
        [
            SurveyCase(
                testDescription: "complete segments beyond the fork",
                files: [file(2), file(3), file(4), file(5, ".partial@5000")], timeline: 2, forks: [1: 0x350000],
                next: position(1, 0x300000), aside: [file(3), file(4), file(5, ".partial")],
                fork: position(1, 0x350000), added: [file(3, ".partial")]),
            SurveyCase(
                testDescription: "nothing but what is beyond the fork", files: [file(4), file(5)], timeline: 2,
                forks: [1: 0x350000], next: position(1, 0x300000), aside: [file(4), file(5)],
                fork: position(1, 0x350000)),
            SurveyCase(
                testDescription: "nothing but what the server has on another timeline", files: [two(4), two(5)],
                timeline: 4, forks: [1: 0x350000, 3: 0x760000], next: position(3, 0x400000),
                aside: [two(4), two(5)], fork: position(2, 0x400000)),
            SurveyCase(
                testDescription: "a segment beyond a fork where one ends", files: [file(3), file(4, ".partial@5000")],
                timeline: 2, forks: [1: 0x400000], next: position(1, 0x400000), aside: [file(4, ".partial")],
                fork: position(1, 0x400000)),
            SurveyCase(
                testDescription: "a fork below two timelines",
                files: [file(2), file(3, ".partial@327680"), two(3), two(4, ".partial@5000")], timeline: 3,
                forks: [1: 0x350000, 2: 0x380000], next: position(2, 0x300000),
                aside: [two(3), two(4, ".partial")], fork: position(2, 0x380000), added: [two(3, ".partial")]),
        ]
        + ["", ".gz", ".lz4", ".zst"].flatMap { suffix in
            [
                SurveyCase(
                    testDescription: "a partial segment up to the fork \(suffix)",
                    files: [file(2, suffix), file(3, "\(suffix).partial@327680")], timeline: 2,
                    forks: [1: 0x350000], next: position(1, 0x300000)),
                SurveyCase(
                    testDescription: "a partial segment a byte beyond the fork \(suffix)",
                    files: [file(2, suffix), file(3, "\(suffix).partial@327681")], timeline: 2,
                    forks: [1: 0x350000], next: position(1, 0x300000), aside: [file(3, "\(suffix).partial")],
                    fork: position(1, 0x350000), added: [file(3, "\(suffix).partial")]),
                SurveyCase(
                    testDescription: "a complete segment beyond the fork \(suffix)",
                    files: [file(2, suffix), file(3, suffix)], timeline: 2, forks: [1: 0x350000],
                    next: position(1, 0x300000), aside: [file(3, suffix)], fork: position(1, 0x350000),
                    added: [file(3, "\(suffix).partial")]),
            ]
        }

    private static let otherBranches =
        [
            SurveyCase(
                testDescription: "a timeline that the server does not know",
                files: [file(2), file(3, ".partial@327680"), two(3), two(4, ".partial@5000")],
                kept: [(2, "", [1: 0x350000])], timeline: 3, forks: [1: 0x360000], next: position(1, 0x300000),
                aside: [two(3), two(4, ".partial")], fork: position(2, 0x300000)),
            SurveyCase(
                testDescription: "a timeline that the server does not know, beyond its fork",
                files: [file(2), file(3), two(4)], timeline: 3, forks: [1: 0x280000], next: position(1, 0x200000),
                aside: [file(2), file(3), two(4)], fork: position(1, 0x280000), added: [file(2, ".partial")]),
        ]
        + ["", ".gz", ".lz4", ".zst"].flatMap { suffix in
            [
                SurveyCase(
                    testDescription: "a number given twice \(suffix)",
                    files: [file(2), file(3, ".partial@327680"), two(3), two(4, ".partial@5000")],
                    kept: [(2, suffix, [1: 0x350000])], timeline: 2, forks: [1: 0x380000],
                    next: position(1, 0x300000),
                    aside: ["00000002.history\(suffix)", two(3), two(4, ".partial")], fork: position(2, 0x300000)),
                SurveyCase(
                    testDescription: "a number given twice, to a timeline before the server's \(suffix)",
                    files: [file(2), file(3, ".partial@327680"), two(3), two(4, ".partial@5000")],
                    kept: [(2, suffix, [1: 0x350000])], timeline: 3, forks: [1: 0x380000, 2: 0x980000],
                    next: position(1, 0x300000),
                    aside: ["00000002.history\(suffix)", two(3), two(4, ".partial")], fork: position(2, 0x980000)),
            ]
        }

    private static let lostHistories = [
        SurveyCase(
            testDescription: "a server without its history, older timeline", files: [file(2), file(3)], timeline: 2,
            next: position(1, 0x400000)),
        SurveyCase(
            testDescription: "a server without its history, same timeline",
            files: [file(2), two(3, ".partial@5000")], kept: [(2, "", [1: 0x350000])], timeline: 2,
            next: position(2, 0x300000)),
    ]
}
