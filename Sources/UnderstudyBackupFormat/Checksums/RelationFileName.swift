/// The name of a relation's file in `global`, in a database's directory beneath `base`, or in one of a tablespace:
/// `16384`, `16384_fsm`, `16384.2`, `16384_vm.1`, and `t3_16384` for a temporary table of the session 3.
///
/// Only names as servers write them: without leading zeros, numbers in their range.
///
/// Source: the server's common/relpath.c, GetRelationPath; storage/file/reinit.c, parse_filename_for_nontemp_relation;
/// storage/file/fd.c, looks_like_temp_rel_name.
package struct RelationFileName: Hashable, Sendable {
    package enum Fork: String, Sendable, CaseIterable {
        case main = ""
        case freeSpaceMap = "fsm"
        case visibilityMap = "vm"
        /// What an unlogged relation becomes after a crash.
        case initial = "init"
    }

    /// relfilenode; a catalog's is often its OID.
    package var number: UInt32
    package var fork: Fork
    /// From 0; the file of segment 0 has no number in its name.
    package var segment: UInt32
    /// The session that a temporary relation belongs to; nil for all other relations.
    package var session: UInt32?

    package init(_ number: UInt32, fork: Fork = .main, segment: UInt32 = 0, session: UInt32? = nil) {
        self.number = number
        self.fork = fork
        self.segment = segment
        self.session = session
    }

    /// Nil for any other name: `PG_VERSION`, `pg_filenode.map`.
    package init?(parsing name: some Collection<UInt8>) {
        var rest = name[...]
        session = nil
        if rest.first == UInt8(ascii: "t") {
            rest.removeFirst()
            guard let session = Self.number(&rest, from: 0), rest.popFirst() == UInt8(ascii: "_") else { return nil }
            self.session = session
        }
        guard let number = Self.number(&rest, from: 1) else { return nil }
        self.number = number
        fork = .main
        if rest.first == UInt8(ascii: "_") {
            let word = rest.dropFirst().prefix { $0 != UInt8(ascii: ".") }
            guard let fork = Fork(rawValue: String(decoding: word, as: UTF8.self)), fork != .main else { return nil }
            self.fork = fork
            rest = rest.dropFirst(1 + word.count)
        }
        segment = 0
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            guard let segment = Self.number(&rest, from: 1) else { return nil }
            self.segment = segment
        }
        guard rest.isEmpty else { return nil }
    }

    /// The number of the first page of this file in its fork.
    ///
    /// - Parameter blocksPerSegment: SHOW segment_size over SHOW block_size: 131,072 unless the server was built otherwise.
    /// - Returns: Nil if no relation can have so many pages.
    package func firstBlock(blocksPerSegment: UInt32) -> UInt32? {
        let (block, overflow) = segment.multipliedReportingOverflow(by: blocksPerSegment)
        return overflow ? nil : block
    }

    /// Takes a number as servers write it off the beginning.
    private static func number<Name: Collection<UInt8>>(_ rest: inout Name, from lowest: UInt32) -> UInt32?
    where Name.SubSequence == Name {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let value = UInt32(String(decoding: digits, as: UTF8.self)), value >= lowest,
            digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { return nil }
        rest = rest.dropFirst(digits.count)
        return value
    }
}

extension RelationFileName: CustomStringConvertible {
    /// The name of the file.
    package var description: String {
        let owner = session.map { "t\($0)_" } ?? ""
        let fork = fork == .main ? "" : "_\(fork.rawValue)"
        return "\(owner)\(number)\(fork)\(segment == 0 ? "" : ".\(segment)")"
    }
}
