/// What is fuzzed: takes any bytes, and stops the program if a promise is broken.
///
/// The environment variable UNDERSTUDY_FUZZ_TARGET names the target; arguments are libFuzzer's. `scripts/fuzz` builds
/// and runs it.
import Glibc

enum FuzzTarget: String, CaseIterable {
    case tar, manifest, messages, rows, copy, notices, history, control, wal, texts, marks, pidfiles, archived,
        compressed, settings, conninfo, hostrules, changes, records

    func run(_ bytes: [UInt8]) {
        switch self {
        case .tar: fuzzTar(bytes)
        case .manifest: fuzzManifest(bytes)
        case .messages: fuzzMessages(bytes)
        case .rows: fuzzRows(bytes)
        case .copy: fuzzCopy(bytes)
        case .notices: fuzzNotices(bytes)
        case .history: fuzzHistory(bytes)
        case .control: fuzzControl(bytes)
        case .wal: fuzzReceiving(bytes)
        case .texts: fuzzTexts(bytes)
        case .marks: fuzzMarks(bytes)
        case .pidfiles: fuzzPidFile(bytes)
        case .archived: fuzzArchived(bytes)
        case .compressed: fuzzCompressed(bytes)
        case .settings: fuzzSettings(bytes)
        case .conninfo: fuzzConnInfo(bytes)
        case .hostrules: fuzzHostRules(bytes)
        case .changes: fuzzChanges(bytes)
        case .records: fuzzRecords(bytes)
        }
    }

    static let chosen: FuzzTarget = {
        guard let name = unsafe getenv("UNDERSTUDY_FUZZ_TARGET"),
            let target = FuzzTarget(rawValue: unsafe String(cString: name))
        else { fatalError("UNDERSTUDY_FUZZ_TARGET must be one of \(FuzzTarget.allCases)") }
        return target
    }()
}

/// libFuzzer's own entry, for programs that have a main of their own.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// What the package manager makes the entry of this program.
@_cdecl("UnderstudyFuzz_main")
func fuzz(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var count = count, arguments = unsafe arguments
    // Both live until the driver returns.
    return unsafe runFuzzer(&count, &arguments) { unsafe fuzzOneInput($0, $1) }
}

/// The name that libFuzzer's library refers to.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // libFuzzer lends `count` bytes for the call.
    FuzzTarget.chosen.run(unsafe [UInt8](UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// An input for a reader that takes bytes in pieces: one byte with choices for the target, two bytes that say where the
/// rest is cut in two, and the rest.
struct CutInput {
    let control: UInt8
    var bytes: [UInt8]
    private let cut: Int

    init?(_ input: [UInt8]) {
        guard input.count >= 3 else { return nil }
        control = input[0]
        cut = Int(input[1]) << 8 | Int(input[2])
        bytes = Array(input.dropFirst(3))
    }

    /// Both parts of `bytes` as they are now; one of them may be empty.
    var pieces: [Range<Int>] {
        let place = cut % (bytes.count + 1)
        return [0..<place, place..<bytes.count]
    }
}
