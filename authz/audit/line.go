package audit

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"strconv"
)

const (
	segmentLines = 65536    // lines of a full segment
	maxLine      = 60 << 10 // bytes of a line without its newline: with a length of two bytes before it, still a tlog-tiles entry
	maxFrame     = len(`{"n":,"g":,,"c":"00000000"}`) + 2*20
	maxMembers   = maxLine - maxFrame
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const hexDigits = "0123456789abcdef"

// appendLine appends line n of the group that starts at line g, with its newline. members is what stands between the frame's
// own members: a JSON object without its braces.
func appendLine(dst []byte, n, g uint64, members []byte) []byte {
	start := len(dst)
	dst = append(dst, `{"n":`...)
	dst = strconv.AppendUint(dst, n, 10)
	dst = append(dst, `,"g":`...)
	dst = strconv.AppendUint(dst, g, 10)
	dst = append(dst, ',')
	dst = append(dst, members...)
	sum := checksum(dst[start:])
	dst = append(dst, `,"c":"`...)
	dst = append(dst, sum[:]...)
	return append(dst, "\"}\n"...)
}

// checksum returns the CRC-32C of b as it stands in a line.
func checksum(b []byte) (text [8]byte) {
	sum := crc32.Checksum(b, castagnoli)
	for i := range text {
		text[i] = hexDigits[sum>>(28-4*i)&0xf]
	}
	return text
}

// frame is a line taken apart. members still needs to be judged.
type frame struct {
	n, g    uint64
	members []byte
}

var errFrame = errors.New(`not of the form {"n":…,"g":…,…,"c":"…"}`)

// parseLine takes a line apart (without its newline) and compares its checksum. It accepts exactly what appendLine writes.
func parseLine(line []byte) (frame, error) {
	if len(line) > maxLine {
		return frame{}, fmt.Errorf("%d bytes, more than %d", len(line), maxLine)
	}
	rest, ok := bytes.CutPrefix(line, []byte(`{"n":`))
	if !ok {
		return frame{}, errFrame
	}
	n, rest, ok := cutNumber(rest)
	if !ok {
		return frame{}, errFrame
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"g":`)); !ok {
		return frame{}, errFrame
	}
	g, rest, ok := cutNumber(rest)
	const tail = len(`,"c":"00000000"}`)
	if !ok || len(rest) < 1+tail || rest[0] != ',' {
		return frame{}, errFrame
	}
	end := len(rest) - tail
	if string(rest[end:end+6]) != `,"c":"` || string(rest[end+14:]) != `"}` {
		return frame{}, errFrame
	}
	// The eight characters are compared as they stand: parsing them would take e for E.
	if sum := checksum(line[:len(line)-tail]); string(sum[:]) != string(rest[end+6:end+14]) {
		return frame{}, fmt.Errorf("checksum is %q, its bytes have %q", rest[end+6:end+14], string(sum[:]))
	}
	return frame{n: n, g: g, members: rest[1:end]}, nil
}

// cutNumber reads a decimal number in its only form: no sign, no leading zero, 64 bits.
func cutNumber(b []byte) (uint64, []byte, bool) {
	v, i := uint64(0), 0
	for ; i < len(b) && i < 20 && b[i] >= '0' && b[i] <= '9'; i++ {
		high, low := bits.Mul64(v, 10)
		sum, carry := bits.Add64(low, uint64(b[i]-'0'), 0)
		if high+carry > 0 {
			return 0, nil, false
		}
		v = sum
	}
	if i == 0 || i > 1 && b[0] == '0' {
		return 0, nil, false
	}
	return v, b[i:], true
}
