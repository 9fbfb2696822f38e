// Builds kustomizations with kustomize's Go API in one warm process: a line on stdin names a directory, a line on
// stdout says what its build cost, "<seconds> <SHA-256>".
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// build does what `kubectl kustomize` does: the legacy order, and YAML at the end.
func build(directory string) ([]byte, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy
	built, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		return nil, err
	}
	return built.AsYaml()
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		start := time.Now()
		text, err := build(lines.Text())
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", lines.Text(), err)
			os.Exit(1)
		}
		fmt.Printf("%.6f %x\n", time.Since(start).Seconds(), sha256.Sum256(text))
	}
}
