package sandbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Both ways the pipe has one frame: a length, a head of JSON that long, and blobs whose sizes are in the head.
type (
	request struct {
		Outputs     int   `json:"outputs"`
		MemoryBytes int64 `json:"memory_bytes"`
		OutputBytes int64 `json:"output_bytes"`
	}
	response struct {
		Failure string `json:"failure"`
	}
	frameHead struct {
		Body  json.RawMessage `json:"body"`
		Sizes []int64         `json:"sizes"`
	}
)

const (
	maxHead  = 16 << 10
	maxBlobs = 64
)

// newFrame returns the bytes of a frame.
func newFrame(body any, blobs [][]byte) (io.Reader, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	h := frameHead{Body: b, Sizes: []int64{}}
	readers := []io.Reader{nil} // for the head
	for _, blob := range blobs {
		h.Sizes = append(h.Sizes, int64(len(blob)))
		readers = append(readers, bytes.NewReader(blob))
	}
	if b, err = json.Marshal(h); err != nil {
		return nil, err
	}
	if len(b) > maxHead || len(blobs) > maxBlobs {
		return nil, fmt.Errorf("sandbox: frame with a head of %d bytes and %d blobs", len(b), len(blobs))
	}
	readers[0] = bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return io.MultiReader(readers...), nil
}

var errFrame = errors.New("sandbox: not a frame")

// readFrame reads a frame of at most limit bytes in blobs. It takes nothing on trust: a child may have been taken over.
func readFrame(r io.Reader, body any, limit int64) ([][]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, errFrame
	}
	size := binary.BigEndian.Uint32(n[:])
	if size > maxHead {
		return nil, errFrame
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, errFrame
	}
	var h frameHead
	if json.Unmarshal(b, &h) != nil || json.Unmarshal(h.Body, body) != nil || len(h.Sizes) > maxBlobs {
		return nil, errFrame
	}
	blobs := make([][]byte, 0, len(h.Sizes))
	for _, size := range h.Sizes {
		if size < 0 || size > limit {
			return nil, errFrame
		}
		limit -= size
		blob := make([]byte, size)
		if _, err := io.ReadFull(r, blob); err != nil {
			return nil, errFrame
		}
		blobs = append(blobs, blob)
	}
	return blobs, nil
}
