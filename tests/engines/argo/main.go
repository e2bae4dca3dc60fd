// Validates Argo manifests with Argo's own validation package.
//
// Usage: argo-validate FILE...
// Every file holds one or more YAML documents. Workflow, WorkflowTemplate and CronWorkflow are read
// strictly (unknown fields are errors) and validated; workflow templates of all files are known to
// each other. Other kinds are skipped. One JSON line per document:
// {"file", "kind", "name", "status": "ok" | "error" | "skipped", "error"}. Exit code 1 if any failed.
//
// argo-validate -oracle answers questions about expressions instead, one JSON line each (oracle.go).
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	wfv1 "github.com/argoproj/argo-workflows/v4/pkg/apis/workflow/v1alpha1"
	"github.com/argoproj/argo-workflows/v4/util/logging"
	"github.com/argoproj/argo-workflows/v4/workflow/templateresolution"
	"github.com/argoproj/argo-workflows/v4/workflow/validate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type document struct {
	File string `json:"file"`
	Kind string `json:"kind"`
	Name string `json:"name"`
	text []byte
}

type verdict struct {
	document
	Status string `json:"status"`
	Error  string `json:"error"`
}

type templates map[string]*wfv1.WorkflowTemplate

// Get finds a workflow template among those of the files.
func (known templates) Get(_ context.Context, name string) (*wfv1.WorkflowTemplate, error) {
	if found, ok := known[name]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("workflow template %q is in none of the files", name)
}

func read(path string) ([]document, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	var found []document
	for {
		text, err := reader.Read()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		var head metav1.PartialObjectMetadata
		if err := yaml.Unmarshal(text, &head); err != nil {
			return nil, err
		}
		if head.Kind != "" {
			found = append(found, document{path, head.Kind, head.Name, text})
		}
	}
}

func check(ctx context.Context, known templates, item document) (string, error) {
	clusterWide := &templateresolution.NullClusterWorkflowTemplateGetter{}
	none := &wfv1.Workflow{}
	switch item.Kind {
	case "Workflow":
		var object wfv1.Workflow
		if err := yaml.UnmarshalStrict(item.text, &object); err != nil {
			return "error", err
		}
		return "", validate.ValidateWorkflow(
			ctx, known, clusterWide, &object, none, validate.ValidateOpts{Lint: true})
	case "WorkflowTemplate":
		var object wfv1.WorkflowTemplate
		if err := yaml.UnmarshalStrict(item.text, &object); err != nil {
			return "error", err
		}
		return "", validate.ValidateWorkflowTemplate(
			ctx, known, clusterWide, &object, none, validate.ValidateOpts{Lint: true})
	case "CronWorkflow":
		var object wfv1.CronWorkflow
		if err := yaml.UnmarshalStrict(item.text, &object); err != nil {
			return "error", err
		}
		return "", validate.ValidateCronWorkflow(ctx, known, clusterWide, &object, none)
	default:
		return "skipped", nil
	}
}

func main() {
	logger := logging.NewSlogLogger(logging.Error, logging.Text)
	ctx := logging.WithLogger(context.Background(), logger)
	if len(os.Args) == 2 && os.Args[1] == "-oracle" {
		if err := serve(ctx, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	known := templates{}
	var all []document
	for _, path := range os.Args[1:] {
		found, err := read(path)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(2)
		}
		all = append(all, found...)
	}
	for _, item := range all {
		var object wfv1.WorkflowTemplate
		if item.Kind == "WorkflowTemplate" && yaml.Unmarshal(item.text, &object) == nil {
			known[object.Name] = &object
		}
	}
	failed := false
	lines := json.NewEncoder(os.Stdout)
	for _, item := range all {
		status, err := check(ctx, known, item)
		result := verdict{document: item, Status: "ok"}
		if status == "skipped" {
			result.Status = status
		}
		if err != nil {
			result.Status, result.Error, failed = "error", err.Error(), true
		}
		if err := lines.Encode(result); err != nil {
			os.Exit(2)
		}
	}
	if failed {
		os.Exit(1)
	}
}
