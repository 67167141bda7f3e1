import Testing
import UnderstudyBackupFormat

@Suite struct PageHeaderTests {
    @Test func `a header is read`() throws {
        var page = [UInt8](repeating: 0, count: 8192)
        page.replaceSubrange(
            0..<20,
            with: [
                0x01, 0, 0, 0, 0x48, 0xD8, 0x74, 0xB3, 0x34, 0x12, 0, 0, 0x1C, 0, 0xD8, 0x1F, 0, 0x20, 0x04, 0x20,
            ])
        let found = PageHeader(page.rawSpan)
        let header = try #require(found)
        #expect(header.lsn == 0x1_B374_D848)
        #expect(header.checksum == 0x1234)
        #expect(header.upper == 0x1FD8 && !header.isNew)
        #expect(header.pageSize == 8192 && header.layoutVersion == 4)
        #expect(header.hasLayout(blockSize: 8192) && !header.hasLayout(blockSize: 4096))
        page[18] = 3
        #expect(PageHeader(page.rawSpan)?.hasLayout(blockSize: 8192) == false)
    }

    @Test func `a page of the largest size, and a new one`() throws {
        var page = [UInt8](repeating: 0, count: 24)
        #expect(PageHeader(page.rawSpan)?.isNew == true)
        page[19] = 0x80
        #expect(PageHeader(page.rawSpan)?.pageSize == 32768)
        #expect(PageHeader(page.rawSpan.extracting(0..<23)) == nil)
    }
}
