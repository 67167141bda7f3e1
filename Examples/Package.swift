// swift-tools-version: 6.2
import PackageDescription

// Built as a user's program is: by path, with public names only.
let package = Package(
    name: "understudy-examples",
    platforms: [.macOS(.v15)],
    dependencies: [
        // With its traits, as the tests are built: what they need is compiled once.
        .package(name: "understudy", path: "..", traits: ["HTTP"]),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "Archiver",
            dependencies: [
                .product(name: "Understudy", package: "understudy"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], path: "Archiver"),
        .executableTarget(
            name: "Fleet",
            dependencies: [
                .product(name: "Understudy", package: "understudy"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], path: "Fleet"),
        .target(
            name: "MemoryDestination", dependencies: [.product(name: "Understudy", package: "understudy")],
            path: "MemoryDestination"),
        .executableTarget(
            name: "CheckDestination",
            dependencies: [
                "MemoryDestination",
                .product(name: "Understudy", package: "understudy"),
                .product(name: "UnderstudyTestKit", package: "understudy"),
            ], path: "CheckDestination"),
    ]
)
