// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "understudy",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Understudy", targets: ["Understudy"]),
        .library(name: "UnderstudyTestKit", targets: ["UnderstudyTestKit"]),
        .executable(name: "understudy", targets: ["UnderstudyMain"]),
    ],
    // A library that only some need comes under a trait: docs/decisions/0006-packages.md.
    traits: [.trait(name: "HTTP", description: "Metrics, health and a page about archivers over HTTP (SwiftNIO)")],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // No Foundation: it alone would add some 45 MB to the program.
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        // MARK: C

        .systemLibrary(name: "CUnderstudyPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CUnderstudyCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CUnderstudyZ", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CUnderstudyLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CUnderstudyZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CUnderstudyLinux"),

        // MARK: Pure values and parsers

        .target(name: "UnderstudyWAL", dependencies: ["UnderstudyCompression"]),
        .target(name: "UnderstudyProtocol", dependencies: ["UnderstudyWAL"]),
        .target(
            name: "UnderstudyBackupFormat", dependencies: ["CUnderstudyCrypto", "CUnderstudyLinux", "UnderstudyWAL"]),
        .target(
            name: "UnderstudyCompression", dependencies: ["CUnderstudyLZ4", "CUnderstudyZ", "CUnderstudyZstd"]),
        .target(name: "UnderstudyConfiguration", dependencies: ["UnderstudyWAL"]),
        .target(name: "UnderstudyWALRecords", dependencies: ["UnderstudyBackupFormat", "UnderstudyWAL"]),

        // MARK: The outside world

        .target(name: "UnderstudyPlatform", dependencies: ["CUnderstudyLinux"]),
        .target(
            name: "UnderstudyConnection",
            dependencies: [
                "CUnderstudyCrypto", "CUnderstudyPQ", "UnderstudyPlatform", "UnderstudyProtocol", "UnderstudyWAL",
            ]),

        // MARK: The work

        .target(
            name: "UnderstudyStreaming",
            dependencies: ["UnderstudyConnection", "UnderstudyPlatform", "UnderstudyProtocol", "UnderstudyWAL"]),
        .target(
            name: "UnderstudyCore",
            dependencies: [
                "UnderstudyConfiguration", "UnderstudyConnection", "UnderstudyPlatform", "UnderstudyProtocol",
                "UnderstudyStreaming",
                "UnderstudyWAL",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .target(
            name: "UnderstudyBackup",
            dependencies: [
                "CUnderstudyLinux",
                "UnderstudyBackupFormat", "UnderstudyCompression", "UnderstudyConfiguration", "UnderstudyConnection",
                "UnderstudyPlatform", "UnderstudyProtocol", "UnderstudyStreaming", "UnderstudyCore", "UnderstudyWAL",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .target(
            name: "UnderstudyWALArchive",
            dependencies: [
                "UnderstudyBackupFormat", "UnderstudyCompression", "UnderstudyConfiguration", "UnderstudyConnection",
                "UnderstudyPlatform",
                "UnderstudyProtocol", "UnderstudyStreaming", "UnderstudyCore", "UnderstudyWAL",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .target(
            name: "UnderstudyMonitoring",
            dependencies: [
                "UnderstudyConfiguration", "UnderstudyCore", "UnderstudyPlatform", "UnderstudyWAL",
                "UnderstudyWALArchive",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .target(
            name: "UnderstudyHTTP",
            dependencies: [
                "UnderstudyCore", "UnderstudyMonitoring", "UnderstudyPlatform", "UnderstudyWALArchive",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["HTTP"])),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: .when(traits: ["HTTP"])),
                .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["HTTP"])),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .target(
            name: "UnderstudyStandby",
            dependencies: [
                "UnderstudyBackup", "UnderstudyConfiguration", "UnderstudyConnection", "UnderstudyPlatform",
                "UnderstudyProtocol", "UnderstudyCore", "UnderstudyWAL",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ]),

        .target(
            name: "UnderstudyVerification",
            dependencies: [
                "UnderstudyBackupFormat", "UnderstudyCompression", "UnderstudyCore", "UnderstudyPlatform",
                "UnderstudyWAL", "UnderstudyWALRecords",
            ]),

        // MARK: What users see

        .target(
            name: "Understudy",
            dependencies: [
                "UnderstudyWALArchive", "UnderstudyBackup", "UnderstudyCompression", "UnderstudyConfiguration",
                "UnderstudyHTTP", "UnderstudyMonitoring", "UnderstudyStreaming",
                "UnderstudyCore", "UnderstudyStandby", "UnderstudyVerification", "UnderstudyWAL",
                "UnderstudyWALRecords",
            ]),
        .target(
            name: "UnderstudyCLI",
            dependencies: [
                "CUnderstudyLinux", "Understudy", "UnderstudyPlatform",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ]),
        .executableTarget(name: "UnderstudyMain", dependencies: ["UnderstudyCLI"]),

        // For those who write a destination of their own; no test framework, so that it works under any.
        .target(name: "UnderstudyTestKit", dependencies: ["UnderstudyStreaming", "UnderstudyWAL"]),

        // MARK: Tests

        .target(
            name: "UnderstudyTestSupport", dependencies: ["CUnderstudyPQ"], path: "Tests/UnderstudyTestSupport"),
        // The examples are a package of their own (Examples/Package.swift), which sees public names only. They are
        // compiled here as well, for the tests that run them.
        .executableTarget(
            name: "UnderstudyArchiverExample",
            dependencies: [
                "Understudy",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], path: "Examples/Archiver"),
        .executableTarget(
            name: "UnderstudyFleetExample",
            dependencies: [
                "Understudy",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], path: "Examples/Fleet"),
        .target(
            name: "UnderstudyMemoryDestinationExample", dependencies: ["Understudy"],
            path: "Examples/MemoryDestination"),
        // Prints records as pg_waldump does: scripts/wal-records runs it.
        .executableTarget(
            name: "UnderstudyWALList",
            dependencies: ["UnderstudyVerification", "UnderstudyWAL", "UnderstudyWALRecords"],
            path: "Tests/UnderstudyWALList"),
        // A server that lies, and who watches the program meanwhile: scripts/lies runs it.
        .executableTarget(
            name: "UnderstudyLies", dependencies: ["CUnderstudyCrypto", "UnderstudyTestSupport"],
            path: "Tests/UnderstudyLies"),
        .testTarget(
            name: "UnderstudyWALTests",
            dependencies: ["UnderstudyCompression", "UnderstudyTestSupport", "UnderstudyWAL"]),
        .testTarget(
            name: "UnderstudyProtocolTests",
            dependencies: ["UnderstudyProtocol", "UnderstudyTestSupport", "UnderstudyWAL"]),
        .testTarget(
            name: "UnderstudyBackupFormatTests", dependencies: ["UnderstudyBackupFormat", "UnderstudyTestSupport"]),
        .testTarget(
            name: "UnderstudyCompressionTests", dependencies: ["UnderstudyCompression", "UnderstudyTestSupport"]),
        .testTarget(
            name: "UnderstudyWALRecordsTests",
            dependencies: ["UnderstudyBackupFormat", "UnderstudyTestSupport", "UnderstudyWAL", "UnderstudyWALRecords"]),
        .testTarget(
            name: "UnderstudyConfigurationTests",
            dependencies: ["UnderstudyConfiguration", "UnderstudyTestSupport", "UnderstudyWAL"]),
        .testTarget(name: "UnderstudyPlatformTests", dependencies: ["UnderstudyPlatform", "UnderstudyTestSupport"]),
        .testTarget(
            name: "UnderstudyConnectionTests",
            dependencies: [
                "UnderstudyConnection", "UnderstudyPlatform", "UnderstudyProtocol", "UnderstudyTestSupport",
                "UnderstudyWAL",
            ]),
        .testTarget(
            name: "UnderstudyStreamingTests",
            dependencies: [
                "UnderstudyStreaming", "UnderstudyConnection", "UnderstudyPlatform", "UnderstudyProtocol",
                "UnderstudyTestSupport", "UnderstudyWAL",
            ]),
        .testTarget(
            name: "UnderstudyBackupTests",
            dependencies: [
                "UnderstudyBackup", "UnderstudyBackupFormat", "UnderstudyConfiguration", "UnderstudyConnection",
                "UnderstudyPlatform", "UnderstudyProtocol", "UnderstudyStreaming", "UnderstudyCore",
                "UnderstudyTestSupport", "UnderstudyWAL",
            ]),
        .testTarget(
            name: "UnderstudyWALArchiveTests",
            dependencies: [
                "UnderstudyWALArchive", "UnderstudyCompression", "UnderstudyPlatform",
                "UnderstudyMemoryDestinationExample", "UnderstudyProtocol", "UnderstudyStreaming", "UnderstudyCore",
                "UnderstudyTestKit", "UnderstudyTestSupport", "UnderstudyWAL",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ]),
        .testTarget(
            name: "UnderstudyMonitoringTests",
            dependencies: [
                "UnderstudyMonitoring", "UnderstudyCore", "UnderstudyPlatform", "UnderstudyTestSupport",
                "UnderstudyWAL",
                "UnderstudyWALArchive",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ]),
        .testTarget(
            name: "UnderstudyStandbyTests",
            dependencies: [
                "UnderstudyStandby", "UnderstudyBackup", "UnderstudyConfiguration", "UnderstudyConnection",
                "UnderstudyPlatform", "UnderstudyProtocol", "UnderstudyCore", "UnderstudyTestSupport", "UnderstudyWAL",
            ]),
        .testTarget(
            name: "UnderstudyTestKitTests",
            dependencies: ["UnderstudyTestKit", "UnderstudyPlatform", "UnderstudyStreaming", "UnderstudyWAL"]),
        .testTarget(name: "UnderstudyCLITests", dependencies: ["UnderstudyCLI", "UnderstudyPlatform"]),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "Understudy", "UnderstudyConnection", "UnderstudyTestSupport", "UnderstudyMain",
                "UnderstudyArchiverExample", "UnderstudyFleetExample", "UnderstudyMemoryDestinationExample",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
    ]
)

// The fuzz targets are linked with libFuzzer, whose archive the variable names, and need flags that no package may ask
// for: scripts/sanitize and scripts/fuzz alone build them.
let fuzzer = Context.environment["UNDERSTUDY_FUZZ"]
if let fuzzer {
    package.targets.append(
        .executableTarget(
            name: "UnderstudyFuzz",
            dependencies: [
                "UnderstudyBackup", "UnderstudyBackupFormat", "UnderstudyCLI", "UnderstudyCompression",
                "UnderstudyConfiguration",
                "UnderstudyConnection", "UnderstudyPlatform", "UnderstudyProtocol",
                "UnderstudyStandby", "UnderstudyWAL", "UnderstudyWALRecords",
            ], path: "Tests/UnderstudyFuzz", linkerSettings: [.unsafeFlags([fuzzer, "-lstdc++"])]))
}

// CI compiles tests three times, each time those that show something there: docs/testing.md, "In CI".
if let choice = Context.environment["UNDERSTUDY_TESTS"] {
    // What has no threads cannot race: of no use to ThreadSanitizer, whose tests of them take the longest.
    let unthreaded = ["BackupFormat", "Compression", "Configuration", "Protocol", "WAL", "WALRecords"].map {
        "Understudy\($0)Tests"
    }
    // The integration tests start programs that no sanitizer sees, and take a third of the time that all tests take to
    // compile.
    let programs = ["UnderstudyArchiverExample", "UnderstudyFleetExample", "UnderstudyLies", "UnderstudyWALList"]
    // Some of the platform's ask for what no sanitizer allows.
    let plain = unthreaded + ["IntegrationTests", "UnderstudyPlatformTests"]
    let isLeftOut = { (target: Target) in
        switch choice {
        case "units": target.name == "IntegrationTests" || programs.contains(target.name)
        case "threads": (unthreaded + programs + ["IntegrationTests"]).contains(target.name)
        case "plain": target.type == .test && !plain.contains(target.name)
        default: fatalError("UNDERSTUDY_TESTS is none of units, threads, plain")
        }
    }
    package.targets.removeAll(where: isLeftOut)
}

// The example is compiled as a user's program is: with none of these.
let isOurs = { (target: Target) in
    ![.system, .plugin].contains(target.type) && !target.name.hasPrefix("CUnderstudy")
        && !target.name.hasSuffix("Example")
}
for target in package.targets where isOurs(target) {
    target.swiftSettings = [
        // Every use of an unsafe construct is marked and says why it is sound.
        .strictMemorySafety(),
        // `any` is written out: a reader sees where dispatch is dynamic.
        .enableUpcomingFeature("ExistentialAny"),
        // A file imports what it uses; the layer check relies on it.
        .enableUpcomingFeature("MemberImportVisibility"),
        // An import is an implementation detail unless it says public.
        .enableUpcomingFeature("InternalImportsByDefault"),
        // Spans may be returned and stored.
        .enableExperimentalFeature("Lifetimes"),
    ]
}

if fuzzer != nil {
    // What -sanitize=fuzzer means, but for its library; not for the tests, which would only be larger.
    let counters = [
        "-sanitize-coverage=edge,trace-cmp", "-Xllvm", "-sanitizer-coverage-inline-8bit-counters",
        "-Xllvm", "-sanitizer-coverage-pc-table",
    ]
    // No target of the fuzzer gets there.
    let unreached = [
        "Understudy", "UnderstudyHTTP", "UnderstudyMonitoring", "UnderstudyTestKit", "UnderstudyVerification",
        "UnderstudyWALArchive",
    ]
    let isCounted = { (target: Target) in
        target.name == "UnderstudyFuzz"
            || (isOurs(target) && target.path == nil && target.type == .regular && !unreached.contains(target.name))
    }
    for target in package.targets where isCounted(target) {
        target.swiftSettings?.append(.unsafeFlags(counters))
    }
    // What is tested is optimised; the tests need not be, and compile faster.
    for target in package.targets where target.type == .test || target.name == "UnderstudyTestSupport" {
        target.swiftSettings?.append(.unsafeFlags(["-Onone"]))
    }
    // The entry is the program's own, as the package manager calls it.
    package.targets.last { $0.name == "UnderstudyFuzz" }?.swiftSettings?.append(.unsafeFlags(["-parse-as-library"]))
}
