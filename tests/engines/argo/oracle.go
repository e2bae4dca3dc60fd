package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/Knetic/govaluate"
	"github.com/argoproj/argo-workflows/v4/util/expr/argoexpr"
	"github.com/argoproj/argo-workflows/v4/util/template"
)

// One line of the oracle: what Argo would make of a text.
//
//	depends: the value of a depends expression; results are the task results, with _ for -
//	text:    a text after the substitution of {{…}}, as for a DAG task that is about to run
//	when:    whether a task with this (substituted) when runs
//
// A reference that Argo would wait for comes back as waits: true.
type question struct {
	Op      string                 `json:"op"`
	Text    string                 `json:"text"`
	Results map[string]taskResults `json:"results"`
	Values  map[string]any         `json:"values"`
}

type taskResults struct {
	Succeeded    bool `json:"Succeeded"`
	Failed       bool `json:"Failed"`
	Errored      bool `json:"Errored"`
	Skipped      bool `json:"Skipped"`
	Omitted      bool `json:"Omitted"`
	Daemoned     bool `json:"Daemoned"`
	AnySucceeded bool `json:"AnySucceeded"`
	AllFailed    bool `json:"AllFailed"`
}

type answer struct {
	Value bool   `json:"value"`
	Text  string `json:"text"`
	Waits bool   `json:"waits"`
	Error string `json:"error"`
}

func answerTo(ctx context.Context, asked question) answer {
	switch asked.Op {
	case "depends":
		logic := strings.ReplaceAll(asked.Text, "-", "_")
		value, err := argoexpr.EvalBool(logic, asked.Results)
		return answer{Value: value, Error: told(err)}
	case "text":
		return substituted(ctx, asked)
	case "when":
		value, err := runs(asked.Text)
		return answer{Value: value, Error: told(err)}
	}
	return answer{Error: "unknown op " + asked.Op}
}

func substituted(ctx context.Context, asked question) answer {
	quoted, err := json.Marshal(asked.Text)
	if err != nil {
		return answer{Error: told(err)}
	}
	made, err := template.ReplaceStrictAny(
		ctx, string(quoted), asked.Values, []string{"tasks", "steps"})
	if err != nil {
		return answer{Waits: template.IsMissingVariableErr(err), Error: told(err)}
	}
	var text string
	err = json.Unmarshal([]byte(made), &text)
	return answer{Text: text, Error: told(err)}
}

// The controller's own function is private; it reads every bare word as a string.
func runs(when string) (bool, error) {
	if when == "" {
		return true, nil
	}
	parsed, err := govaluate.NewEvaluableExpression(when)
	if err != nil {
		return false, err
	}
	tokens := parsed.Tokens()
	for index := range tokens {
		if tokens[index].Kind == govaluate.VARIABLE {
			tokens[index].Kind = govaluate.STRING
		}
	}
	parsed, err = govaluate.NewEvaluableExpressionFromTokens(tokens)
	if err != nil {
		return false, err
	}
	result, err := parsed.Evaluate(nil)
	if err != nil {
		return false, err
	}
	value, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("not a boolean: %v", result)
	}
	return value, nil
}

func told(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	answers := json.NewEncoder(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			return err
		}
		if err := answers.Encode(answerTo(ctx, asked)); err != nil {
			return err
		}
	}
}
