import UnderstudyProtocol
import UnderstudyWAL

/// Rows as a server may send them to a command. The first byte says which answer they are read as; a line is a row, a tab
/// stands between fields, and the field `\N` is NULL.
///
/// Whatever is read is what stood there: written as a row again, it is read as the same.
func fuzzRows(_ bytes: [UInt8]) {
    guard let choice = bytes.first else { return }
    let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
    let rows = text.split(separator: "\n").map { line in
        line.split(separator: "\t", omittingEmptySubsequences: false).map { $0 == "\\N" ? nil : String($0) as String? }
    }
    let answer = ResultSet(columns: (rows.first ?? []).map { _ in "c" }, rows: rows)
    switch choice % 7 {
    case 0: checkIdentity(answer)
    case 1: checkPosition(answer)
    case 2: checkTablespaces(answer)
    case 3: checkSlot(answer)
    case 4: checkNextTimeline(answer)
    case 5: checkWatched(answer)
    default:
        let kind = Int(choice) / 7
        if kind < 24 { checkCount(answer, kind % 8) } else { checkChecked(answer, kind - 24) }
    }
}

private func again(_ fields: [String?]) -> ResultSet { ResultSet(columns: fields.map { _ in "c" }, rows: [fields]) }

private func checkIdentity(_ answer: ResultSet) {
    guard let found = try? SystemIdentity(answer) else { return }
    precondition(UInt64(found.systemIdentifier) != nil, "a system identifier that is no number")
    precondition(found.timeline.rawValue > 0, "timeline 0")
    let row = again([found.systemIdentifier, "\(found.timeline)", "\(found.position)"])
    precondition((try? SystemIdentity(row)) == found, "another identity when it is read again")
}

private func checkPosition(_ answer: ResultSet) {
    guard let found = try? BackupPosition(answer) else { return }
    precondition(found.timeline.rawValue > 0, "timeline 0")
    let row = again(["\(found.lsn)", "\(found.timeline)"])
    precondition((try? BackupPosition(row)) == found, "another position when it is read again")
}

private func checkTablespaces(_ answer: ResultSet) {
    guard let found = try? AnnouncedArchive.decode(answer) else { return }
    precondition(found.count == answer.rows.count, "a row is left out")
    precondition(found.count { $0.oid == nil } == 1, "not one data directory")
    precondition(Set(found.map(\.oid)).count == found.count, "a tablespace comes twice")
    for archive in found {
        precondition((archive.oid == nil) == (archive.location == nil), "a place without a tablespace, or none")
        precondition(archive.oid != 0 && archive.location != "", "a tablespace that cannot be")
        precondition((archive.size ?? 0) % 1024 == 0, "a size that is no number of kB")
    }
    let rows = found.map { [$0.oid.map { "\($0)" }, $0.location, $0.size.map { "\($0 / 1024)" }] }
    let written = ResultSet(columns: ["c", "c", "c"], rows: rows)
    precondition((try? AnnouncedArchive.decode(written)) == found, "other tablespaces when they are read again")
}

private func checkSlot(_ answer: ResultSet) {
    let decoded: SlotState?
    do throws(ProtocolError) { decoded = try SlotState.decode(answer) } catch { return }
    guard let found = decoded else {
        precondition(answer.rows[0][0] == nil, "a slot of some kind is taken for none")
        return
    }
    precondition(found.restartTimeline?.rawValue != 0, "timeline 0")
    let row = again([found.kind, found.restartLSN.map { "\($0)" }, found.restartTimeline.map { "\($0)" }])
    precondition((try? SlotState.decode(row)) == found, "another slot when it is read again")
}

private func checkNextTimeline(_ answer: ResultSet) {
    guard let found = try? NextTimeline(answer) else { return }
    precondition(found.timeline.rawValue > 0, "timeline 0")
    let row = again(["\(found.timeline)", "\(found.position)"])
    precondition((try? NextTimeline(row)) == found, "another timeline when it is read again")
}

private func checkWatched(_ answer: ResultSet) {
    guard let found = try? WatchQuery.Answer(answer) else { return }
    let row = answer.rows[0]
    precondition((found.slot == nil) == (row[2] == nil), "a slot out of nothing, or none of one")
    precondition(!found.isSynchronous || row[0] == "sync" || row[0] == "quorum", "commits wait that do not")
    if found.invalidation != nil { precondition(row[4] == "lost" || row[6] != nil, "a slot is given up unasked") }
    if row[4] == "lost" { precondition(found.invalidation != nil, "a lost slot is taken for a sound one") }
}

/// What a check makes of answers: no time that is none, and no more than was sent.
private func checkChecked(_ answer: ResultSet, _ kind: Int) {
    let version = ServerVersion(number: 180_004)
    func checkTimes(_ times: [Double?]) {
        for time in times.compactMap({ $0 }) { precondition((0...1e11).contains(time), "a time that cannot be") }
    }
    switch kind {
    case 0: _ = try? CheckSQL.situation(version).read(answer)
    case 1: _ = try? CheckSQL.settings([]).read(answer)
    case 2:
        let found = (try? CheckSQL.senders(version).read(answer)) ?? []
        precondition(found.count <= answer.rows.count, "a sender out of nothing")
        for sender in found { checkTimes([sender.writeLag, sender.flushLag, sender.replayLag]) }
    case 3:
        let found = (try? CheckSQL.slots(version).read(answer)) ?? []
        precondition(found.count <= answer.rows.count, "a slot out of nothing")
    case 4: if let found = try? CheckSQL.receiver(version).read(answer) { checkTimes([found.silence]) }
    case 5: if let found = try? CheckSQL.replay(version).read(answer) { checkTimes([found.age]) }
    case 6: _ = try? CheckSQL.archiver.read(answer)
    case 7: _ = try? CheckSQL.sizes(version).read(answer)
    case 8: _ = try? CheckSQL.hostRules.read(answer)
    case 9:
        if let found = try? CheckSQL.control.read(answer) {
            precondition(UInt64(found.system) != nil, "a system identifier that is no number")
        }
    case 10:
        let found = (try? CheckSQL.tablespaces.read(answer)) ?? []
        precondition(found.allSatisfy { $0.hasPrefix("/") }, "a place that is no path")
    default: _ = try? CheckSQL.markers(version).read(answer)
    }
}

private func checkCount(_ answer: ResultSet, _ count: Int) {
    guard let row = try? answer.onlyRow(atLeast: count, of: "SHOW") else { return }
    precondition(answer.rows.count == 1 && row.count >= count, "another row than the only one")
}
