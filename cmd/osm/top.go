package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"

	"osm"
	"osm/store"
	"osm/web"
)

func (p *program) top() *cobra.Command {
	every := 2 * time.Second
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch live who sends most",
		Long: "Shows the busiest senders and the newest messages, full screen, until q is pressed. Tab goes to the next ranking, h\n" +
			"switches between the last hour and the last day. Without a terminal it prints one picture and ends.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond {
				return wrongUsage("--every %s: must be at least 100ms", every)
			}
			reader, err := p.history()
			if err != nil {
				return err
			}
			defer reader.Close()
			s := screen{every: every, span: time.Hour, width: terminalWidth(p.out)}
			s.look = func(span time.Duration, rows int) glance { return lookAt(c.Context(), reader, p.now(), span, rows) }
			if s.width == 0 || p.json {
				return p.once(s)
			}
			_, err = tea.NewProgram(s, tea.WithContext(c.Context()), tea.WithInput(p.in), tea.WithOutput(p.out)).Run()
			if c.Context().Err() != nil { // a signal is a way to leave
				return nil
			}
			return err
		},
	}
	c.Flags().DurationVar(&every, "every", every, "time between two looks")
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

// once prints what there is to see now.
func (p *program) once(s screen) error {
	seen := s.look(s.span, fewRows)
	if seen.err != nil {
		return seen.err
	}
	if p.json {
		newest := make([]web.Message, len(seen.newest))
		for i := range newest {
			newest[i] = web.MessageOf(&seen.newest[i])
		}
		return writeJSON(p.out, map[string]any{"report": web.ReportOf(seen.report), "newest": newest})
	}
	s.seen = seen
	_, err := io.WriteString(p.out, s.text())
	return err
}

// screen is what osm top shows.
type screen struct {
	look  func(span time.Duration, rows int) glance
	every time.Duration

	span          time.Duration
	ranking       int // in rankings
	width, height int // cells; 0 means unlimited
	seen          glance
}

// glance is what one look at the history has seen.
type glance struct {
	at     time.Time
	report *store.Report
	newest []store.Found
	err    error
}

// fewRows is the length of a list when there is no height to fill.
const fewRows = 10

func lookAt(ctx context.Context, reader *store.Reader, at time.Time, span time.Duration, rows int) glance {
	report, err := reader.Report(ctx, store.ReportQuery{Since: at.Add(-span), Until: at, Limit: rows})
	if err != nil {
		return glance{at: at, err: err}
	}
	page, err := reader.Search(ctx, store.Filter{Limit: rows})
	if err != nil {
		return glance{at: at, err: err}
	}
	return glance{at: at, report: report, newest: page.Messages}
}

// Init begins with a look.
func (s screen) Init() tea.Cmd {
	return func() tea.Msg { return s.look(s.span, max(fewRows, s.height)) }
}

// Update takes what happens: a key, a new size, a look that is done.
func (s screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case glance:
		s.seen = msg
		return s, tea.Tick(s.every, func(time.Time) tea.Msg { return again{} })
	case again:
		return s, s.Init()
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return s, tea.Quit
		case "tab", "right", "l":
			s.ranking = (s.ranking + 1) % len(rankings)
		case "shift+tab", "left":
			s.ranking = (s.ranking + len(rankings) - 1) % len(rankings)
		case "h":
			s.span = 25*time.Hour - s.span // an hour or a day
		}
	}
	return s, nil
}

// again says that it is time for the next look.
type again struct{}

// View draws the screen.
func (s screen) View() tea.View {
	v := tea.NewView(s.text())
	v.AltScreen = true
	return v
}

func (s screen) text() string {
	if s.seen.err != nil {
		return "osm top: " + osm.Printable(s.seen.err.Error()) + "\n"
	}
	if s.seen.report == nil {
		return "osm top: looking ...\n"
	}
	bold := lipgloss.NewStyle().Bold(true)
	if s.height == 0 {
		bold = lipgloss.NewStyle() // no terminal: no colours
	}
	var b strings.Builder
	b.WriteString(bold.Render(cut(s.headline(), s.room())) + "\n\n")
	chosen := rankings[s.ranking]
	b.WriteString(bold.Render(cut(s.tabs(), s.room())) + "\n")
	top, newest := s.rows()
	ranked := newTable(countHeads(chosen.head)...)
	for _, t := range first(s.seen.report.Top[chosen.kind], top) {
		ranked.add(countCells(t.Value, t.Counts)...)
	}
	ranked.write(&b, s.width) // a strings.Builder does not fail
	b.WriteString("\n" + bold.Render("Newest messages") + "\n")
	foundTable(first(s.seen.newest, newest), time.TimeOnly).write(&b, s.width)
	return b.String()
}

// room is the width of a line; without a terminal there is no end.
func (s screen) room() int {
	if s.width == 0 {
		return 1 << 20
	}
	return s.width
}

// rows shares the height between the two lists; seven lines are headings.
func (s screen) rows() (top, newest int) {
	if s.height == 0 {
		return fewRows, fewRows
	}
	free := max(s.height-7, 2)
	return free / 2, free - free/2
}

func first[T any](all []T, n int) []T { return all[:min(n, len(all))] }

func (s screen) headline() string {
	r := s.seen.report
	var all store.Counts
	for _, c := range r.Classes {
		addCounts(&all, c)
	}
	return fmt.Sprintf("osm %s  since %s: %s messages, %s recipients, %s delivered, %s deferred, %s failed, %s stopped",
		s.seen.at.Format("15:04:05"), r.Since.In(s.seen.at.Location()).Format("Jan 2 15:04"), number(all.Messages),
		number(all.Recipients), number(all.Delivered), number(all.Deferred), number(all.Failed), number(all.Stopped))
}

func (s screen) tabs() string {
	if s.height == 0 { // nobody can press a key
		return rankings[s.ranking].title
	}
	names := make([]string, len(rankings))
	for i, r := range rankings {
		names[i] = r.title
		if i == s.ranking {
			names[i] = "[" + r.title + "]"
		}
	}
	return strings.Join(names, "  ") + "   tab: next, h: hour or day, q: quit"
}
