require 'open3'
require 'tmpdir'

# What files would do to whom, told before they are written; in noop, too, where it is all that happens.
#
# Reads only: the texts lie in a directory of this account's own while `wharf plan` looks at them. A set that would be
# refused fails here, so that what requires this resource writes nothing.
Puppet::Type.newtype(:wharf_plan) do
  @doc = 'The plan of a set of files: `wharf plan --as`, with the steps by their ids.'

  newparam(:name, namevar: true) do
    desc 'What the set is called.'
  end

  newparam(:wharf) do
    desc 'The program.'
    defaultto '/usr/bin/wharf'
  end

  newparam(:files) do
    desc 'The files, by path, with their texts.'
    validate do |files|
      raise ArgumentError, 'files: a hash of paths and texts' unless files.is_a?(Hash)
    end
  end

  newproperty(:files_are) do
    desc 'Whether the set is in force.'
    newvalue(:in_force)
    newvalue(:new)
    defaultto :in_force

    def retrieve
      text, code = plan
      case code
      when 0 then :in_force
      when 2, 3
        resource.notice(text.strip)
        :new
      when nil
        resource.notice("#{resource[:wharf]} is not there yet: no plan")
        :in_force
      else raise Puppet::Error, "#{resource[:wharf]} plan: #{text.strip}"
      end
    end

    # What makes them so are the files that follow.
    def set(_value); end

    def change_to_s(_current, _desired)
      'planned as above'
    end

    # What the program said, and how it ended; no code where it is not there.
    def plan
      Dir.mktmpdir('wharf.') do |dir|
        args = resource[:files].each_with_index.flat_map do |(path, text), at|
          staged = File.join(dir, at.to_s)
          File.open(staged, File::WRONLY | File::CREAT | File::EXCL, 0o600) { |file| file.write(text) }
          ['--as', "#{path}=#{staged}"]
        end
        said, status = Open3.capture2e(resource[:wharf], 'plan', '-v', '--detailed-exitcode', *args)
        [said, status.exitstatus]
      end
    rescue Errno::ENOENT
      ['', nil]
    end
  end
end
